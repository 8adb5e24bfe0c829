#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/http/client_state.h"
#include "core/http/download.h"
#include "core/http/exchange.h"
#include "core/http/part_file.h"
#include "core/http/part_hasher.h"
#include "core/http/range_answer.h"
#include "core/http/route.h"

namespace toolkit::http {

/// One file of a download while it is at work: its connections, each fetching one range after the
/// other, its part and its digest.
class FileTransfer {
 public:
  using Clock = std::chrono::steady_clock;

  FileTransfer(ClientState& client, const FileDownload& wanted, const DownloadSettings& settings,
               std::function<void(const std::string&)> note);
  ~FileTransfer();
  FileTransfer(const FileTransfer&) = delete;
  FileTransfer& operator=(const FileTransfer&) = delete;

  /// Ends, repeats and starts what is due. Throws when the file cannot be had.
  void advance(Clock::time_point now);
  /// When advance() has something to do again without an event.
  std::optional<Clock::time_point> next_due() const;
  /// True once size and digest are right and the part is synced.
  bool verified() const { return verified_; }
  int connections() const;
  void limit_rate(uint64_t bytes_per_second);
  uint64_t done_bytes() const { return part_.done_bytes(); }
  uint64_t resumed_bytes() const { return resumed_bytes_; }

 private:
  /// One range under way, over as many attempts as it takes.
  struct Lane {
    size_t range = 0;
    int generation = 0;
    Route route;
    std::unique_ptr<Exchange> exchange;
    RangeVerdict verdict;
    uint64_t left = 0, since_failure = 0;  // bytes: of the body still to come; since it went wrong
    int failures = 0;
    Clock::time_point due{};
  };

  void begin_attempt(Lane& lane);
  void begin_exchange(Lane& lane);
  bool take_headers(Lane& lane);
  bool take_body(Lane& lane, const char* bytes, size_t size);
  void end_exchange(Lane& lane, Clock::time_point now);
  void try_again(Lane& lane, const std::string& what, Clock::time_point now,
                 std::optional<std::chrono::seconds> retry_after);
  void empty_part(const std::string& why);
  void tidy_lanes(Clock::time_point now);
  void open_lanes();
  void check_digest();
  void start_hasher();
  RangeRequest asked(const Lane& lane) const;
  uint64_t range_bytes() const;
  void tell(const std::string& key, const std::string& text);

  ClientState& client_;
  const FileDownload& wanted_;
  const DownloadSettings& settings_;
  std::function<void(const std::string&)> note_;
  bool whole_only_ = false;  // the server knows no ranges; before part_, which asks for it
  PartFile part_;
  std::unique_ptr<PartHasher> hasher_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  uint64_t resumed_bytes_ = 0;
  int generation_ = 0, restarts_ = 0;
  bool verified_ = false;
  std::string last_note_;  // its key: several connections meet the same
};

}  // namespace toolkit::http
