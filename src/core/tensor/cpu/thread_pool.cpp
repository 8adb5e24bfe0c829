#include "core/tensor/cpu/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace toolkit::tensor::cpu {

namespace {

void pause_briefly() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Long enough to bridge the gap between two kernels of a decode step, short enough not to burn a
// core.
constexpr int kSpins = 20000;

/// Workers wait for `generation_` to change, take chunks from `next_`, and count down `running_`.
class ThreadPool {
 public:
  explicit ThreadPool(int threads) {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
  }
  ~ThreadPool() {
    stop_ = true;
    generation_.fetch_add(1);
    generation_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  void run(int64_t count, int64_t chunk, const std::function<void(int64_t, int64_t, int)>& body) {
    count_ = count;
    chunk_ = chunk;
    body_ = &body;
    next_.store(0, std::memory_order_relaxed);
    running_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
    generation_.fetch_add(1, std::memory_order_release);
    generation_.notify_all();
    take_chunks(0);
    while (running_.load(std::memory_order_acquire) != 0) pause_briefly();
  }

 private:
  void take_chunks(int thread) {
    for (;;) {
      const int64_t begin = next_.fetch_add(chunk_, std::memory_order_relaxed);
      if (begin >= count_) return;
      (*body_)(begin, std::min(begin + chunk_, count_), thread);
    }
  }

  void work(int thread) {
    uint32_t seen = 0;
    for (;;) {
      int spins = 0;
      while (generation_.load(std::memory_order_acquire) == seen) {
        if (++spins < kSpins) {
          pause_briefly();
        } else {
          generation_.wait(seen, std::memory_order_acquire);
        }
      }
      seen = generation_.load(std::memory_order_acquire);
      if (stop_) return;
      take_chunks(thread);
      running_.fetch_sub(1, std::memory_order_release);
    }
  }

  std::vector<std::thread> workers_;
  std::atomic<uint32_t> generation_{0};
  std::atomic<int64_t> next_{0};
  std::atomic<int> running_{0};
  std::atomic<bool> stop_{false};
  int64_t count_ = 0, chunk_ = 1;
  const std::function<void(int64_t, int64_t, int)>* body_ = nullptr;
};

int default_thread_count() {
  if (const char* text = std::getenv("MLX_TOOLKIT_THREADS")) {
    const int wanted = std::atoi(text);
    if (wanted >= 1 && wanted <= 1024) return wanted;
  }
  return std::max(1u, std::thread::hardware_concurrency());
}

std::mutex pool_mutex;
std::unique_ptr<ThreadPool> pool;

ThreadPool& current_pool() {
  if (!pool) pool = std::make_unique<ThreadPool>(default_thread_count());
  return *pool;
}

}  // namespace

int thread_count() {
  const std::lock_guard lock(pool_mutex);
  return current_pool().threads();
}

void set_thread_count(int count) {
  const std::lock_guard lock(pool_mutex);
  pool = std::make_unique<ThreadPool>(std::max(1, count));
}

void parallel_for(int64_t count, int64_t grain,
                  const std::function<void(int64_t, int64_t, int)>& body) {
  if (count <= 0) return;
  const std::lock_guard lock(pool_mutex);
  ThreadPool& threads = current_pool();
  grain = std::max<int64_t>(grain, 1);
  const int64_t grains = (count + grain - 1) / grain;
  if (threads.threads() == 1 || grains == 1) return body(0, count, 0);
  // Four chunks per thread even out unequal work without much traffic on the counter.
  const int64_t chunk = std::max<int64_t>(1, grains / (4 * threads.threads())) * grain;
  threads.run(count, chunk, body);
}

}  // namespace toolkit::tensor::cpu
