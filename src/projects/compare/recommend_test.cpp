#include "projects/compare/recommend.h"

#include <doctest/doctest.h>
#include <fmt/ranges.h>

#include "core/base/testing.h"
#include "projects/compare/constraints.h"

namespace toolkit::compare {
namespace {

using testing::contains;
using testing::refusal_of;

/// Measured on ten rows of ten tokens; `unevenness` makes rows differ from those of other methods.
Entry entry_of(const std::string& method, double loss, double seconds, double peak_bytes,
               double unevenness = 0) {
  Entry entry{.method = method,
              .seconds = seconds,
              .peak_bytes = peak_bytes,
              .adapter_bytes = method == "full" ? 500e6 : 10e6};
  for (int i = 0; i < 10; ++i)
    entry.rows.push_back(
        {.sum = 10 * (loss + 0.1 * i) + (i % 2 == 0 ? unevenness : -unevenness), .tokens = 10});
  entry.loss = engine::mean_loss(entry.rows);
  return entry;
}

std::string reasons(const Recommendation& recommendation) {
  return fmt::format("{}", fmt::join(recommendation.reasons, "\n"));
}

const Entry kBase = entry_of("base", 3.5, NAN, NAN);

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("compare: constraints are read with their units") {
    const Constraints some = read_constraints({"memory=4GB", "time=10min", "adapter=1.5MiB"});
    CHECK(some.memory_bytes == 4e9);
    CHECK(some.seconds == 600);
    CHECK(some.adapter_bytes == 1.5 * 1048576);
    CHECK(read_constraints({"time=2h"}).seconds == 7200);
    CHECK(read_constraints({"time=90 s"}).seconds == 90);
    for (const char* wrong : {"memory=4", "memory=GB", "memory", "time=-1s", "time=10GB", "speed=3",
                              "memory=nanGB", "memory=0GB"})
      CHECK(contains(refusal_of([&] { read_constraints({wrong}); }), wrong));
    CHECK(shown_seconds(185) == "3 min 5 s");
    CHECK(shown_seconds(0.25) == "250 ms");
    CHECK(shown_seconds(7800) == "2 h 10 min");
  }

  TEST_CASE("compare: what breaks a constraint is left out with the figure") {
    const Entry entry = entry_of("full", 1.5, 700, 5e9);
    CHECK(obstacle(entry, {}) == "");
    CHECK(obstacle(entry, {.memory_bytes = 4e9}) == "needs 5.00 GB of memory, 4.00 GB are allowed");
    CHECK(contains(obstacle(entry, {.seconds = 600}), "takes 11 min 40 s, 10 min 0 s are allowed"));
    CHECK(contains(obstacle(entry, {.adapter_bytes = 50e6}), "writes 500 MB"));
    Entry failed{.method = "qlora", .state = Entry::State::kFailed, .reason = "diverged"};
    CHECK(obstacle(failed, {}) == "diverged");
  }

  TEST_CASE("compare: the best method that keeps the constraints is recommended") {
    const std::vector<Entry> entries = {entry_of("lora", 2.0, 100, 1e9),
                                        entry_of("qlora", 2.2, 110, 0.8e9),
                                        entry_of("full", 1.5, 300, 5e9)};
    CHECK(recommend(kBase, entries, {}, "loss").method == "full");
    const Recommendation choice = recommend(kBase, entries, {.memory_bytes = 4e9}, "loss");
    CHECK(choice.method == "lora");
    CHECK(contains(reasons(choice), "full is left out: needs 5.00 GB"));
    CHECK(contains(reasons(choice), "qlora is clearly worse, by 0.2000"));
    CHECK(contains(reasons(choice), "Against the model as it was it gains 1.5000"));
    const Recommendation none = recommend(kBase, entries, {.seconds = 10}, "loss");
    CHECK(none.method == "");
    CHECK(contains(reasons(none), "No method keeps the constraints"));
    CHECK(contains(reasons(none), "lora is left out: takes 1 min 40 s"));
  }

  TEST_CASE("compare: of methods that are not clearly worse the cheapest is recommended") {
    const std::vector<Entry> entries = {entry_of("lora", 2.0, 100, 1.0e9),
                                        entry_of("dora", 1.99, 150, 1.1e9, 0.5),
                                        entry_of("qlora", 2.0, 105, 0.8e9, -0.5)};
    // qlora is within a tenth of the quickest one's time and needs the least memory.
    const Recommendation choice = recommend(kBase, entries, {}, "loss");
    CHECK(choice.method == "qlora");
    CHECK(contains(reasons(choice),
                   "qlora (validation loss 2.4500) is not clearly worse than dora "
                   "(validation loss 2.4400)"));
    CHECK(contains(reasons(choice), "30 % less time and 27 % less memory than dora"));
    CHECK(contains(reasons(choice),
                   "lora is about as good and takes more: qlora takes 20 % less "
                   "memory"));
  }

  TEST_CASE("compare: what does not beat the untouched model is said") {
    const std::vector<Entry> entries = {entry_of("lora", 3.5, 100, 1e9, 0.5)};
    const Recommendation choice = recommend(kBase, entries, {}, "loss");
    CHECK(choice.method == "lora");
    CHECK(contains(reasons(choice), "not clearly better than the model as it was"));
  }

  TEST_CASE("compare: with a task as the goal its score decides") {
    std::vector<Entry> entries = {entry_of("lora", 2.0, 100, 1e9), entry_of("dora", 1.5, 100, 1e9)};
    Entry base = kBase;
    base.task_correct = std::vector<double>(40, 0);
    entries[0].task_correct = std::vector<double>(40, 1);
    entries[1].task_correct = base.task_correct;
    entries[1].task_correct[0] = 1;
    const Recommendation choice = recommend(base, entries, {}, "task");
    CHECK(choice.method == "lora");
    CHECK(contains(reasons(choice), "task score 1.000"));
    CHECK(recommend(base, entries, {}, "loss").method == "dora");
  }
}

}  // namespace toolkit::compare
