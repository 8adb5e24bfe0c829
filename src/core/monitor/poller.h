#pragma once

#include <functional>
#include <memory>

#include "core/monitor/preferences.h"
#include "core/monitor/snapshot.h"
#include "core/monitor/sources/source.h"

namespace toolkit::monitor {

/// When a server is looked at next, in milliseconds: quickly while something is generated, at the
/// polling interval while models are loaded, more and more seldom when nothing has happened for
/// `idle_seconds`, with growing pauses when it does not answer.
int next_look_ms(const ServerState& state, double idle_seconds, const Preferences& preferences);

/// Looks at servers and sensors in threads of its own, a slow server delays nobody else, and hands
/// over a snapshot whenever one is due.
class Poller {
 public:
  using OnSnapshot = std::function<void(const Snapshot&)>;
  struct Parts {
    std::vector<std::unique_ptr<Source>> sources;
    std::unique_ptr<platform::Sensors> sensors;
  };
  /// `on_snapshot` is called from the poller's thread.
  Poller(const Preferences& preferences, Parts parts, OnSnapshot on_snapshot);
  ~Poller();  // waits for looks that are under way: at most some seconds

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The servers of the preferences and this machine's sensors.
Poller::Parts parts_of(const Preferences& preferences);

/// One look at everything, where rates need two with a pause between, and three where a request has
/// just begun; for `status`.
Snapshot look_once(const Preferences& preferences, Poller::Parts parts, double pause_s = 1.0);

}  // namespace toolkit::monitor
