#include "core/distributed/watchdog.h"

#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "core/base/error.h"

namespace toolkit::distributed {

struct Watchdog::State {
  std::mutex mutex;
  std::condition_variable ended;
  bool done = false;
  std::thread thread;
};

Watchdog::Watchdog(std::chrono::milliseconds limit, std::function<void()> expired)
    : state_(std::make_unique<State>()) {
  state_->thread = std::thread([state = state_.get(), limit, expired = std::move(expired)] {
    std::unique_lock lock(state->mutex);
    if (!state->ended.wait_for(lock, limit, [&] { return state->done; })) expired();
  });
}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->done = true;
  }
  state_->ended.notify_all();
  state_->thread.join();
}

std::chrono::seconds peer_timeout() {
  const char* text = std::getenv("MLX_TOOLKIT_PEER_TIMEOUT");
  if (!text || !*text) return std::chrono::seconds(600);
  char* end = nullptr;
  const long seconds = std::strtol(text, &end, 10);
  if (*end || seconds < 1 || seconds > 1'000'000)
    fail(ErrorKind::kUserInput,
         "MLX_TOOLKIT_PEER_TIMEOUT is '{}'; expected seconds from 1 to 1000000", text);
  return std::chrono::seconds(seconds);
}

}  // namespace toolkit::distributed
