#include "projects/serve/embedders.h"

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <thread>

#include "core/base/error.h"

namespace toolkit::serve {

namespace {

/// Counts how many of it are there.
class CountedEmbedder final : public engine::TextEmbedder {
 public:
  explicit CountedEmbedder(std::atomic<int>& there) : there_(there) { ++there_; }
  ~CountedEmbedder() override { --there_; }
  std::vector<engine::TextEmbedding> embed(std::span<const std::string> texts) const override {
    return std::vector<engine::TextEmbedding>(texts.size());
  }
  int dimensions() const override { return 1; }
  int max_tokens() const override { return 1; }

 private:
  std::atomic<int>& there_;
};

struct Encoders {
  std::atomic<int> there = 0, loads = 0;
  std::atomic<bool> short_of_memory = false;
  Embedders embedders;

  explicit Encoders(double keep_alive_seconds)
      : embedders({.load =
                       [this](const std::string&) {
                         ++loads;
                         return std::make_unique<CountedEmbedder>(there);
                       },
                   .check_room =
                       [](const std::string& base) {
                         if (base == "large") fail(ErrorKind::kOutOfMemory, "no room");
                         return int64_t{5};
                       },
                   .keep_alive_seconds = keep_alive_seconds,
                   .short_of_memory = [this] { return short_of_memory.load(); }}) {}

  /// Whether it could be used.
  bool use(const std::string& base, std::optional<double> keep_alive = {}) {
    std::promise<bool> done;
    embedders.use(
        base, keep_alive, [&](const engine::TextEmbedder&, double) { done.set_value(true); },
        [&](const std::exception_ptr&) { done.set_value(false); });
    return done.get_future().get();
  }

  bool become(int count) {
    for (int i = 0; i < 500 && there != count; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return there == count;
  }
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("encoders stay and at most two of them") {
    Encoders encoders(-1);
    for (const char* base : {"a", "b", "a", "c", "a"}) CHECK(encoders.use(base));
    CHECK(encoders.loads == 3);
    CHECK(encoders.there == 2);
    CHECK_FALSE(encoders.use("large"));
  }

  TEST_CASE("an encoder goes after its time though nobody asks for another") {
    Encoders encoders(0.01);
    CHECK(encoders.use("a"));
    CHECK(encoders.become(0));
    CHECK(encoders.use("a"));
    CHECK(encoders.loads == 2);
  }

  TEST_CASE("a request tells how long its encoder stays") {
    Encoders encoders(-1);
    CHECK(encoders.use("a"));
    CHECK(encoders.use("b", 1000));
    const auto loaded = encoders.embedders.loaded();
    REQUIRE(loaded.size() == 2);
    CHECK(loaded[0].base == "a");
    CHECK(loaded[0].size_bytes == 5);
    CHECK_FALSE(loaded[0].expires_in_seconds);
    CHECK(*loaded[1].expires_in_seconds > 900);
    CHECK(encoders.use("b", 0));
    CHECK(encoders.become(1));
    encoders.embedders.unload("a");
    CHECK(encoders.become(0));
  }

  TEST_CASE("encoders go when other programs take the memory") {
    Encoders encoders(-1);
    CHECK(encoders.use("a"));
    CHECK(encoders.there == 1);
    encoders.short_of_memory = true;
    CHECK(encoders.become(0));
  }
}

}  // namespace toolkit::serve
