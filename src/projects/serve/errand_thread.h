#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace toolkit::serve {

/// One thread that does one thing after another: what takes long and must not hold up answers. What
/// still waits at the end is dropped. `between`, if given, is called between errands and while
/// there is none, about five times a second; it must not throw.
class ErrandThread {
 public:
  explicit ErrandThread(size_t most_waiting, std::function<void()> between = {})
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
    constexpr std::chrono::milliseconds kBetween(200);
    auto called = std::chrono::steady_clock::now();
    const auto woken = [this] { return ending_ || !waiting_.empty(); };
    std::unique_lock lock(mutex_);
    for (;;) {
      if (between_)
        changed_.wait_for(lock, kBetween, woken);
      else
        changed_.wait(lock, woken);
      if (ending_) return;
      std::function<void()> errand;
      if (!waiting_.empty()) {
        errand = std::move(waiting_.front());
        waiting_.pop_front();
      }
      lock.unlock();
      if (errand) errand();
      if (const auto now = std::chrono::steady_clock::now(); between_ && now - called >= kBetween) {
        between_();
        called = now;
      }
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
