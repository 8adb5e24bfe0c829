#pragma once

#include <chrono>
#include <functional>
#include <memory>

namespace toolkit::distributed {

/// Watches over one wait for other processes: MLX's transports wait forever for a process that is
/// gone. If it lives longer than `limit`, `expired` is called once on a thread of its own.
class Watchdog {
 public:
  Watchdog(std::chrono::milliseconds limit, std::function<void()> expired);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// How long processes wait for each other: MLX_TOOLKIT_PEER_TIMEOUT in seconds, or 600. Throws
/// Error(kUserInput) if that is not a number from 1.
std::chrono::seconds peer_timeout();

}  // namespace toolkit::distributed
