#pragma once

#include <map>
#include <optional>
#include <string>

#include "core/files/lock.h"
#include "core/monitor/history/history.h"
#include "core/monitor/snapshot.h"

namespace toolkit::monitor {

/// Sessions and samples out of snapshots, without a database: what is to be written. Durations come
/// from the snapshots' clock that never goes back; a machine's clock that was set, or a machine
/// that slept, ends the sessions and begins new ones.
class SessionTracker {
 public:
  struct Change {
    std::vector<Sample> samples;
    std::vector<Session> sessions;  // open ones, and those that have just ended
  };
  Change take(const Snapshot& snapshot);
  /// What the database called the sessions of the last change, in their order.
  void name(const std::vector<Session>& written);

 private:
  /// Tokens and seconds by one way of seeing requests: several ways may show the same one.
  struct Count {
    int64_t tokens = 0;
    double seconds = 0;
  };
  struct Open {
    Session session;
    double started_clock_s = 0, active_clock_s = 0, written_clock_s = -1e9;
    std::map<Way, Count> finished;
  };
  void begin_and_end(const Snapshot& snapshot, Change& change);
  static void count(Open& open, const Snapshot& snapshot);
  void add_samples(const Snapshot& snapshot, Change& change);

  std::map<std::string, Open> open_;
  std::optional<double> clock_s_;
  int64_t time_s_ = 0;
  double sampled_clock_s_ = -1e9;
};

/// Writes what a tracker finds, once a second at most, and compacts every ten minutes. Only one
/// process records at a time; another one's recorder stays silent until that one has ended.
class Recorder {
 public:
  Recorder(const std::filesystem::path& file, int keep_days);
  /// Throws Error(kIo) when the database cannot be written to.
  void take(const Snapshot& snapshot);
  bool is_recording() const { return history_.has_value(); }

 private:
  void try_to_begin(double clock_s);

  std::filesystem::path file_;
  int keep_days_;
  std::optional<files::FileLock> lock_;
  std::optional<History> history_;
  SessionTracker tracker_;
  double tried_s_ = -1e9, written_s_ = -1e9, compacted_s_ = -1e9;
};

}  // namespace toolkit::monitor
