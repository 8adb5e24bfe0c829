#include "engine/batch/batch_engine.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <future>

#include "core/base/testing.h"
#include "engine/batch/collector_for_tests.h"
#include "engine/generate/generator.h"

namespace toolkit::engine {

namespace {

using testing::contains;
using testing::refusal_of;

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the engine says what the generator says, greedily, however many run") {
    const LanguageModel model = tiny_language_model();
    Generator generator(model);
    Collector collector;
    BatchEngine engine(tiny_language_model(), {.max_sequences = 3, .step_tokens = 8});
    for (size_t i = 0; i < 6; ++i)
      REQUIRE(engine.submit(greedy(9 + 4 * static_cast<int>(i), 12, 10 + static_cast<int>(i)),
                            collector.listener(i)));
    for (size_t i = 0; i < 6; ++i) {
      const Heard heard = collector.wait(i);
      const GenerateResult expected =
          generator.generate(tiny_prompt(9 + 4 * static_cast<int>(i), 10 + static_cast<int>(i)),
                             {.max_tokens = 12, .ignore_stop_ids = true});
      CHECK(ids_of(heard) == expected.ids);
      CHECK(heard.text == expected.text);
      CHECK(*heard.finish == FinishReason::kMaxTokens);
      CHECK(heard.figures.prompt_tokens == 9 + 4 * static_cast<int>(i));
      CHECK(heard.figures.generated_tokens == 12);
    }
    const BatchState state = state_after(engine, 6);
    CHECK(state.generated_tokens == 72);
    CHECK(state.prompt_tokens == 6 * 9 + 4 * 15);
    CHECK(state.running + state.waiting == 0);
    CHECK(state.tokens_per_second == 0.0);  // nothing runs
  }

  TEST_CASE("stop ids and stop texts end a request, and no stop text is let through") {
    LanguageModel model = tiny_language_model();
    Generator generator(model);
    const GenerateResult all =
        generator.generate(tiny_prompt(15), {.max_tokens = 10, .ignore_stop_ids = true});
    LanguageModel stopping = tiny_language_model();
    stopping.stop_ids = {all.ids[4]};
    BatchEngine engine(std::move(stopping), {});
    BatchRequest request = greedy(15, 10);
    request.ignore_stop_ids = false;
    const Heard stopped = alone(engine, request);
    CHECK(*stopped.finish == FinishReason::kStopToken);
    CHECK(stopped.figures.generated_tokens ==
          std::find(all.ids.begin(), all.ids.end(), all.ids[4]) - all.ids.begin());
    REQUIRE(all.text.size() >= 4);
    request = greedy(15, 10);
    request.stop_texts = {all.text.substr(2, 2)};
    const Heard cut = alone(engine, request);
    CHECK(*cut.finish == FinishReason::kStopText);
    CHECK(cut.text == all.text.substr(0, all.text.find(all.text.substr(2, 2))));
  }

  TEST_CASE("log-probabilities are those of the model") {
    BatchEngine engine(tiny_language_model(), {});
    BatchRequest request = greedy(12, 3);
    request.sampling.repetition_penalty = 1.5;  // changes the choice, not what is reported
    const Heard heard = alone(engine, request);
    const LanguageModel model = tiny_language_model();
    Generator generator(model);
    std::vector<int32_t> ids = tiny_prompt(12);
    for (const TokenReport& report : heard.tokens) {
      const std::vector<float> logits = generator.next_token_logits(ids);
      double total = 0.0;
      for (const float logit : logits) total += std::exp(static_cast<double>(logit));
      const auto expected = [&](int32_t id) {
        return logits[static_cast<size_t>(id)] - std::log(total);
      };
      CHECK(report.token.logprob == doctest::Approx(expected(report.token.id)).epsilon(3e-3));
      REQUIRE(report.top.size() == 2);
      CHECK(report.top[0].id == argmax(logits));
      CHECK(report.top[0].logprob >= report.top[1].logprob);
      ids.push_back(report.token.id);
    }
  }

  TEST_CASE("cancelling and deadlines end a request within a step, waiting or not") {
    BatchEngine engine(tiny_language_model(), {.max_sequences = 1});
    Collector collector;
    std::promise<void> asked;  // the first request waits where it is until it is cancelled
    const auto first = engine.submit(
        greedy(10, 450),
        [tell = collector.listener(0), gate = asked.get_future().share()](const BatchEvent& event) {
          tell(event);
          gate.wait();
        });
    const auto second = engine.submit(greedy(10, 450), collector.listener(1));
    REQUIRE((first && second));
    engine.cancel(*second);
    collector.wait_begun(0);
    engine.cancel(*first);
    engine.cancel(12345);
    asked.set_value();
    CHECK(*collector.wait(1).finish == FinishReason::kCancelled);
    CHECK(*collector.wait(0).finish == FinishReason::kCancelled);
    BatchRequest late = greedy(10, 450);
    late.deadline = std::chrono::steady_clock::now();
    CHECK(*alone(engine, late).finish == FinishReason::kTimeout);
    engine.drain(1.0);
    CHECK(state_after(engine, 3).requests_cancelled == 2);
  }

  TEST_CASE("a full queue takes nothing, and draining lets what runs end") {
    Collector collector;
    BatchEngine engine(tiny_language_model(), {.max_sequences = 1, .max_queue = 1});
    REQUIRE(engine.submit(greedy(10, 30), collector.listener(0)));
    REQUIRE(engine.submit(greedy(10, 30), collector.listener(1)));
    const bool third = engine.submit(greedy(10, 30), collector.listener(2)).has_value();
    engine.drain(30.0);
    CHECK(*collector.wait(0).finish == FinishReason::kMaxTokens);
    CHECK(*collector.wait(1).finish == FinishReason::kMaxTokens);
    if (third) CHECK(*collector.wait(2).finish == FinishReason::kMaxTokens);
    CHECK_FALSE(engine.submit(greedy(10, 30), collector.listener(3)));
    CHECK(engine.state().running == 0);
  }

  TEST_CASE("what cannot be done is refused at once, with the numbers") {
    BatchEngine engine(tiny_language_model(), {.context_tokens = 64});
    CHECK(engine.context_tokens() == 64);
    const auto refused = [&](const BatchRequest& request) {
      return refusal_of([&] { engine.submit(request, [](const BatchEvent&) {}); });
    };
    CHECK(contains(refused({}), "empty"));
    CHECK(contains(refused({.prompt = {1, 1000000}}), "1000000"));
    CHECK(contains(refused(greedy(64, 5)), "64 tokens"));
    CHECK(contains(refused({.prompt = {1}, .max_tokens = 0}), "max_tokens"));
    CHECK(contains(refused({.prompt = {1}, .adapter = "none"}), "none"));
    CHECK(*alone(engine, greedy(60, 50)).finish == FinishReason::kContextFull);
    CHECK(contains(refusal_of(
                       [] {
                         BatchEngine(tiny_language_model(),
                                     {.context_tokens = 100, .cache_bytes = 1024});
                       },
                       ErrorKind::kOutOfMemory),
                   "100 tokens"));
  }

  TEST_CASE("guessing ahead changes nothing but the number of passes") {
    if (!tensor::use_cpu_kernels()) {
      MESSAGE("SKIPPED: no CPU kernels in this build");
      return;
    }
    BatchEngine plain(tiny_language_model(), {});
    BatchEngine guessing(tiny_language_model(), {.speculate_tokens = 5});
    for (uint64_t seed = 0; seed < 6; ++seed) {
      BatchRequest request = sampled(60, 60, seed);
      if (seed % 2 == 0) request.sampling = {};                // greedy
      request.sampling.logit_bias = {{20, 6.0f}, {21, 6.0f}};  // a text that repeats itself
      const Heard expected = alone(plain, request), found = alone(guessing, request);
      CHECK(ids_of(found) == ids_of(expected));
      CHECK(found.text == expected.text);
      for (size_t t = 0; t < found.tokens.size(); ++t)
        CHECK(found.tokens[t].token.logprob == expected.tokens[t].token.logprob);
    }
    const BatchState one = state_after(plain, 6), other = state_after(guessing, 6);
    CHECK(other.accepted_draft_tokens > 0);
    CHECK(other.accepted_draft_tokens < other.draft_tokens);
    CHECK(other.steps < one.steps);
    CHECK(other.generated_tokens == one.generated_tokens);
  }

  TEST_CASE("without our kernels the graph says the same, one sequence after another") {
    tensor::use_plain_graph(true);
    std::vector<std::vector<int32_t>> expected;
    const LanguageModel model = tiny_language_model();
    Generator generator(model);
    {
      BatchEngine engine(tiny_language_model(), {.max_sequences = 2});
      Collector collector;
      for (size_t i = 0; i < 3; ++i)
        REQUIRE(engine.submit(greedy(20, 6, 10 + static_cast<int>(i)), collector.listener(i)));
      for (size_t i = 0; i < 3; ++i) {
        const GenerateResult wanted = generator.generate(
            tiny_prompt(20, 10 + static_cast<int>(i)), {.max_tokens = 6, .ignore_stop_ids = true});
        CHECK(ids_of(collector.wait(i)) == wanted.ids);
      }
    }
    tensor::use_plain_graph(false);
  }

  TEST_CASE("a listener that throws loses its request and nothing else") {
    BatchEngine engine(tiny_language_model(), {});
    engine.submit(greedy(10, 50), [](const BatchEvent&) { throw std::runtime_error("listener"); });
    CHECK(*alone(engine, greedy(10, 5)).finish == FinishReason::kMaxTokens);
    CHECK(engine.healthy());
  }
}

}  // namespace toolkit::engine
