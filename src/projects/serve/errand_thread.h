#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace toolkit::serve {

/// One thread that does one thing after another: what takes long and must not hold up answers. What
/// still waits at the end is dropped. `between` is called after each errand and five times a second
/// while there is none; it must not throw.
class ErrandThread {
 public:
  explicit ErrandThread(
      size_t most_waiting, std::function<void()> between = [] {})
      : most_waiting_(most_waiting), between_(std::move(between)) {
    thread_ = std::thread([this] { work(); });
  }
  ~ErrandThread() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  /// False if too many wait already. `errand` must not throw.
  bool add(std::function<void()> errand) {
    const std::lock_guard lock(mutex_);
    if (ending_ || waiting_.size() >= most_waiting_) return false;
    waiting_.push_back(std::move(errand));
    changed_.notify_all();
    return true;
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait_for(lock, std::chrono::milliseconds(200),
                        [this] { return ending_ || !waiting_.empty(); });
      if (ending_) return;
      std::function<void()> errand = [] {};
      if (!waiting_.empty()) {
        errand = std::move(waiting_.front());
        waiting_.pop_front();
      }
      lock.unlock();
      errand();
      between_();
      lock.lock();
    }
  }

  size_t most_waiting_;
  std::function<void()> between_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace toolkit::serve
