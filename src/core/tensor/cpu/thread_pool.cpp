#include "core/tensor/cpu/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace toolkit::tensor::cpu {

namespace {

using Body = std::function<void(int64_t, int64_t, int)>;

void pause_briefly() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Long enough to bridge the gap between two kernels of a decode step, short enough not to burn a
// core.
constexpr int kSpins = 10000;

// The number of the thread while it runs a body, which gets its own parallel_for run in place.
constexpr int kOutside = -1;
thread_local int body_thread = kOutside;

/// One job at a time. Workers that wake up while it is open join it; the caller waits only for
/// those that did, so a worker that sleeps or has no core delays nobody.
class ThreadPool {
 public:
  explicit ThreadPool(int threads) : shares_(static_cast<size_t>(threads)) {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
  }

  ~ThreadPool() {
    stop_.store(true, std::memory_order_relaxed);
    announced_.fetch_add(1, std::memory_order_release);
    announced_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  void run(int64_t count, int64_t grain, const Body& body) {
    const std::lock_guard lock(one_job_);
    grain_ = grain;
    body_ = &body;
    failure_ = nullptr;
    const int64_t grains = (count + grain - 1) / grain, shares = std::ssize(shares_);
    for (int64_t i = 0; i < shares; ++i) {
      Share& share = shares_[static_cast<size_t>(i)];
      share.next.store(i * grains / shares * grain, std::memory_order_relaxed);
      share.end = std::min((i + 1) * grains / shares * grain, count);
    }
    job_.store(kOpen, std::memory_order_release);
    announced_.fetch_add(1, std::memory_order_release);
    announced_.notify_all();
    take_chunks(0);
    job_.fetch_and(~kOpen, std::memory_order_acquire);
    while (job_.load(std::memory_order_acquire) != 0) pause_briefly();
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  static constexpr uint32_t kOpen = 1u << 31;  // below it: the number of workers inside

  /// What one thread takes first, and then everybody: a thread that reads one stretch of memory
  /// from its beginning on is faster than two that take turns in it, and each has its own counter.
  struct alignas(64) Share {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
  };

  void take_chunks(int thread) {
    body_thread = thread;
    try {
      for (size_t i = 0; i < shares_.size(); ++i)
        take_share(shares_[(static_cast<size_t>(thread) + i) % shares_.size()], thread);
    } catch (...) {
      for (Share& share : shares_) share.next.store(share.end, std::memory_order_relaxed);
      const std::lock_guard lock(failure_mutex_);
      if (!failure_) failure_ = std::current_exception();
    }
    body_thread = kOutside;
  }

  /// Large chunks first, single grains last: threads of unequal speed end together.
  void take_share(Share& share, int thread) {
    for (;;) {
      int64_t begin = share.next.load(std::memory_order_relaxed), end = begin;
      do {
        if (begin >= share.end) return;
        end = begin + std::max<int64_t>(1, (share.end - begin) / grain_ / 4) * grain_;
        end = std::min(end, share.end);
      } while (!share.next.compare_exchange_weak(begin, end, std::memory_order_relaxed));
      (*body_)(begin, end, thread);
    }
  }

  bool join() {
    uint32_t job = job_.load(std::memory_order_relaxed);
    while (job & kOpen)
      if (job_.compare_exchange_weak(job, job + 1, std::memory_order_acquire)) return true;
    return false;
  }

  void work(int thread) {
    uint32_t seen = 0;
    for (;;) {
      for (int spins = 0; announced_.load(std::memory_order_acquire) == seen;) {
        if (++spins < kSpins) {
          pause_briefly();
        } else {
          announced_.wait(seen, std::memory_order_acquire);
        }
      }
      seen = announced_.load(std::memory_order_acquire);
      if (stop_.load(std::memory_order_relaxed)) return;
      if (!join()) continue;
      take_chunks(thread);
      job_.fetch_sub(1, std::memory_order_release);
    }
  }

  std::vector<std::thread> workers_;
  std::mutex one_job_, failure_mutex_;
  std::atomic<uint32_t> announced_{0};
  std::atomic<uint32_t> job_{0};
  std::atomic<bool> stop_{false};
  // Written while no job is open and nobody is inside.
  std::vector<Share> shares_;
  int64_t grain_ = 1;
  const Body* body_ = nullptr;
  std::exception_ptr failure_;
};

int default_thread_count() {
  if (const char* text = std::getenv("MLX_TOOLKIT_THREADS")) {
    const int wanted = std::atoi(text);
    if (wanted >= 1 && wanted <= 1024) return wanted;
  }
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

std::mutex pool_mutex;
std::shared_ptr<ThreadPool> pool;

std::shared_ptr<ThreadPool> current_pool() {
  const std::lock_guard lock(pool_mutex);
  if (!pool) pool = std::make_shared<ThreadPool>(default_thread_count());
  return pool;
}

}  // namespace

int thread_count() {
  return current_pool()->threads();
}

void set_thread_count(int count) {
  std::shared_ptr<ThreadPool> fresh = std::make_shared<ThreadPool>(std::max(1, count));
  const std::lock_guard lock(pool_mutex);
  pool.swap(fresh);
}

void parallel_for(int64_t count, int64_t grain, const Body& body) {
  if (count <= 0) return;
  grain = std::max<int64_t>(grain, 1);
  const int64_t grains = (count + grain - 1) / grain;
  if (body_thread != kOutside) return body(0, count, body_thread);
  if (grains == 1) return body(0, count, 0);
  const std::shared_ptr<ThreadPool> threads = current_pool();
  if (threads->threads() == 1) return body(0, count, 0);
  threads->run(count, grain, body);
}

}  // namespace toolkit::tensor::cpu
