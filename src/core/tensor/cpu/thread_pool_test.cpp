#include "core/tensor/cpu/thread_pool.h"

#include <doctest/doctest.h>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace toolkit::tensor::cpu;

namespace {

struct ThreadCount {  // restores the number of threads after a test
  int before = thread_count();
  explicit ThreadCount(int count) { set_thread_count(count); }
  ~ThreadCount() { set_thread_count(before); }
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("thread pool: every index once, ranges start at multiples of the grain") {
    for (int threads : {1, 2, 5}) {
      const ThreadCount guard(threads);
      CHECK(thread_count() == threads);
      for (int64_t count : {1, 7, 64, 1000}) {
        std::vector<std::atomic<int>> seen(static_cast<size_t>(count));
        std::atomic<bool> aligned = true, known = true;
        parallel_for(count, 8, [&](int64_t begin, int64_t end, int thread) {
          if (begin % 8 != 0) aligned = false;
          if (thread < 0 || thread >= threads) known = false;
          for (int64_t i = begin; i < end; ++i) ++seen[static_cast<size_t>(i)];
        });
        for (const std::atomic<int>& times : seen) REQUIRE(times == 1);
        CHECK(aligned);
        CHECK(known);
      }
    }
  }

  TEST_CASE("thread pool: an exception of a body reaches the caller and the pool goes on working") {
    const ThreadCount guard(3);
    const auto fails = [](int64_t begin, int64_t, int) {
      if (begin >= 50) throw std::runtime_error("body");
    };
    CHECK_THROWS_WITH(parallel_for(100, 1, fails), "body");
    std::atomic<int64_t> sum = 0;
    parallel_for(100, 1, [&](int64_t begin, int64_t end, int) { sum += end - begin; });
    CHECK(sum == 100);
  }

  TEST_CASE("thread pool: bodies may ask for the thread count and loop in parallel themselves") {
    const ThreadCount guard(3);
    std::atomic<int64_t> sum = 0;
    parallel_for(6, 1, [&](int64_t begin, int64_t end, int) {
      CHECK(thread_count() == 3);
      for (int64_t i = begin; i < end; ++i)
        parallel_for(10, 1, [&](int64_t from, int64_t to, int) { sum += to - from; });
    });
    CHECK(sum == 60);
  }

  TEST_CASE("thread pool: callers on several threads take turns") {
    const ThreadCount guard(2);
    std::atomic<int64_t> sum = 0;
    std::vector<std::thread> callers;
    for (int i = 0; i < 3; ++i)
      callers.emplace_back([&] {
        for (int round = 0; round < 200; ++round)
          parallel_for(16, 1, [&](int64_t begin, int64_t end, int) { sum += end - begin; });
      });
    for (std::thread& caller : callers) caller.join();
    CHECK(sum == 3 * 200 * 16);
  }
}
