#include "engine/batch/batch_engine.h"

#include <doctest/doctest.h>

#include <cmath>
#include <future>
#include <thread>

#include "core/base/testing.h"
#include "engine/batch/collector_for_tests.h"
#include "engine/generate/generator.h"

namespace toolkit::engine {

namespace {

using testing::contains;
using testing::refusal_of;
using testing::TestingFolder;

BatchRequest greedy(int prompt_length, int tokens, int start = 10) {
  return {.prompt = tiny_prompt(prompt_length, start),
          .max_tokens = tokens,
          .ignore_stop_ids = true,
          .top_logprobs = 2};
}

BatchRequest sampled(int prompt_length, int tokens, uint64_t seed) {
  BatchRequest request = greedy(prompt_length, tokens, 10 + static_cast<int>(seed) % 50);
  request.sampling = {.temperature = 0.9, .top_p = 0.95, .repetition_penalty = 1.1, .seed = seed};
  return request;
}

/// What a request says alone.
Heard alone(BatchEngine& engine, const BatchRequest& request) {
  Collector collector;
  REQUIRE(engine.submit(request, collector.listener(0)));
  return collector.wait(0);
}

/// What the engine says of itself once so many requests have ended.
BatchState state_after(BatchEngine& engine, uint64_t requests) {
  BatchState state = engine.state();
  while (state.requests_finished + state.requests_cancelled < requests) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    state = engine.state();
  }
  return state;
}

/// Only even tokens, and only so many of them.
class EvenTokens : public text::TokenConstraint {
 public:
  explicit EvenTokens(int count) : left_(count) {}
  void allowed(std::span<uint32_t> bits) override {
    for (uint32_t& word : bits) word = left_ > 0 ? 0x55555555u : 0u;
  }
  void accept(int32_t id) override {
    REQUIRE(id % 2 == 0);
    --left_;
  }
  bool complete() const override { return left_ == 0; }

 private:
  int left_;
};

/// Exactly these tokens; whether it says so ahead is the test's to choose.
class TheseTokens : public text::TokenConstraint {
 public:
  TheseTokens(std::vector<int32_t> ids, bool tells) : ids_(std::move(ids)), tells_(tells) {}
  void allowed(std::span<uint32_t> bits) override {
    std::fill(bits.begin(), bits.end(), 0u);
    const auto id = static_cast<size_t>(ids_[next_]);
    bits[id / 32] |= 1u << (id % 32);
  }
  void accept(int32_t id) override {
    REQUIRE(id == ids_[next_]);
    ++next_;
  }
  std::vector<int32_t> forced(size_t most) const override {
    const size_t end = std::min(ids_.size(), next_ + (tells_ ? most : 0));
    return {ids_.begin() + static_cast<std::ptrdiff_t>(next_),
            ids_.begin() + static_cast<std::ptrdiff_t>(end)};
  }
  bool complete() const override { return next_ == ids_.size(); }

 private:
  std::vector<int32_t> ids_;
  bool tells_;
  size_t next_ = 0;
};

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

  TEST_CASE("a seed says the same alone and among others, whatever adapters they use") {
    const TestingFolder folder;
    write_adapter(folder.path / "one", 100, false);
    for (const bool int8 : {false, true}) {
      BatchEngine engine(tiny_language_model(),
                         {.max_sequences = 16, .step_tokens = 16, .cache_8bit = int8});
      engine.load_adapter("one", folder.path / "one");
      std::vector<BatchRequest> requests;
      for (uint64_t i = 0; i < 8; ++i) {
        requests.push_back(sampled(20 + static_cast<int>(i), 20, i));
        if (i % 4 == 3) requests.back().sampling = {};  // greedy
        if (i % 4 == 2) requests.back().adapter = "one";
      }
      std::vector<Heard> expected;
      for (const BatchRequest& request : requests) expected.push_back(alone(engine, request));
      Collector collector;
      for (size_t i = 0; i < 16; ++i) {
        BatchRequest request = requests[i % 8];
        if (i >= 8) request.adapter = "one", request.prompt.pop_back();
        REQUIRE(engine.submit(request, collector.listener(i)));
      }
      for (size_t i = 0; i < 16; ++i) collector.wait(i);
      if (!tensor::use_cpu_kernels()) return;  // the graph's sums depend on a prompt's pieces
      for (size_t i = 0; i < 8; ++i) {
        const Heard heard = collector.wait(i);
        CHECK(ids_of(heard) == ids_of(expected[i]));
        for (size_t t = 0; t < heard.tokens.size(); ++t)
          CHECK(heard.tokens[t].token.logprob == expected[i].tokens[t].token.logprob);
      }
    }
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

  TEST_CASE("a constraint is obeyed and ends the text when it is complete") {
    BatchEngine engine(tiny_language_model(), {});
    BatchRequest request = greedy(12, 20);
    request.constraint = std::make_shared<EvenTokens>(5);
    const Heard heard = alone(engine, request);
    CHECK(*heard.finish == FinishReason::kStopToken);
    CHECK(heard.tokens.size() == 5);
    for (const int32_t id : ids_of(heard)) CHECK(id % 2 == 0);
    request.constraint = std::make_shared<EvenTokens>(0);
    const Heard impossible = alone(engine, request);
    CHECK(*impossible.finish == FinishReason::kError);
    CHECK(contains(impossible.error, "grammar"));
  }

  TEST_CASE("what a constraint forces is computed many tokens at a time and says the same") {
    for (const bool kernels : {true, false}) {
      tensor::use_plain_graph(!kernels);
      BatchEngine engine(tiny_language_model(), {});
      BatchRequest request = greedy(1, 99);
      const auto forced = [&](bool tells) {
        request.constraint = std::make_shared<TheseTokens>(tiny_prompt(100, 20), tells);
        const uint64_t before = engine.state().steps;
        const Heard heard = alone(engine, request);
        CHECK(ids_of(heard).size() == 99);
        return std::pair(heard, state_after(engine, 1).steps - before);
      };
      const auto [slow, many] = forced(false);
      const auto [quick, few] = forced(true);
      CHECK(few < 6);
      for (size_t i = 0; i < slow.tokens.size(); ++i)
        CHECK(quick.tokens[i].token.logprob ==
              doctest::Approx(slow.tokens[i].token.logprob).epsilon(1e-4));
      CHECK(engine.state().draft_tokens == 0);
    }
    tensor::use_plain_graph(false);
  }

  TEST_CASE("work between two steps finds the model without an adapter") {
    const TestingFolder folder;
    write_adapter(folder.path / "one", 100, false);
    for (const bool kernels : {true, false}) {
      tensor::use_plain_graph(!kernels);
      BatchEngine engine(tiny_language_model(), {});
      engine.load_adapter("one", folder.path / "one");
      BatchRequest request = greedy(9, 4);
      request.adapter = "one";
      alone(engine, request);
      bool adapted = true;
      engine.between_steps([&] {
        adapted = false;
        for (const auto& [path, layer] : engine.model().decoder->linears())
          adapted |= layer->lora.has_value();
      });
      CHECK_FALSE(adapted);
      CHECK_THROWS_AS(
          engine.between_steps([] { fail(ErrorKind::kUserInput, "of the work itself"); }), Error);
      CHECK(alone(engine, request).finish == FinishReason::kMaxTokens);
    }
    tensor::use_plain_graph(false);
  }

  TEST_CASE("adapters stand beside the model and each other and come and go while others run") {
    const TestingFolder folder;
    write_adapter(folder.path / "one", 100, false);
    write_adapter(folder.path / "two", 200, true);
    BatchEngine engine(tiny_language_model(), {.max_sequences = 8, .step_tokens = 8});
    engine.load_adapter("one", folder.path / "one");
    engine.load_adapter("two", folder.path / "two");
    CHECK(engine.adapters() == std::vector<std::string>{"one", "two"});
    Collector collector;
    const std::vector<std::string> names = {"", "one", "two", "one", ""};
    for (size_t i = 0; i < names.size(); ++i) {
      BatchRequest request = greedy(20, 10, 12);
      request.adapter = names[i];
      REQUIRE(engine.submit(request, collector.listener(i)));
    }
    engine.unload_adapter("two");  // the request that uses it ends first
    for (size_t i = 0; i < names.size(); ++i) {
      const LanguageModel model = tiny_language_model();
      if (!names[i].empty())
        apply_adapter(*model.decoder, checkpoint::load_adapter(folder.path / names[i]));
      const GenerateResult expected = Generator(model).generate(
          tiny_prompt(20, 12), {.max_tokens = 10, .ignore_stop_ids = true});
      CHECK(ids_of(collector.wait(i)) == expected.ids);
    }
    BatchRequest request = greedy(5, 1);
    request.adapter = "two";
    CHECK(contains(refusal_of([&] { engine.submit(request, [](const BatchEvent&) {}); }), "'two'"));
    CHECK(contains(refusal_of([&] { engine.unload_adapter("two"); }, ErrorKind::kNotFound), "one"));
    CHECK_THROWS_AS(engine.load_adapter("three", folder.path / "three"), Error);
    CHECK(engine.healthy());
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

  TEST_CASE("sequences that do not fit together make way and say the same") {
    const auto token_bytes = [] {
      const LanguageModel model = tiny_language_model();
      const models::DecoderConfig& c = model.decoder->config();
      return int64_t{8} * c.num_layers * c.num_kv_heads * c.head_dim;
    }();
    std::vector<Heard> expected;
    {
      BatchEngine roomy(tiny_language_model(), {});
      for (uint64_t i = 0; i < 5; ++i) expected.push_back(alone(roomy, sampled(100, 260, i)));
    }
    BatchEngine engine(tiny_language_model(), {.cache_bytes = 512 * token_bytes});
    Collector collector;
    for (uint64_t i = 0; i < 5; ++i)
      REQUIRE(engine.submit(sampled(100, 260, i), collector.listener(i)));
    for (size_t i = 0; i < 5; ++i) CHECK(collector.wait(i).text == expected[i].text);
  }

  TEST_CASE("what others have computed is not computed again, generated text included") {
    if (!tensor::use_cpu_kernels()) {
      MESSAGE("SKIPPED: no CPU kernels in this build");
      return;
    }
    const TestingFolder folder;
    write_adapter(folder.path / "one", 100, false);
    BatchEngine engine(tiny_language_model(), {.step_tokens = 30});
    engine.load_adapter("one", folder.path / "one");
    const BatchRequest request = greedy(100, 30);
    const Heard first = alone(engine, request);
    CHECK(first.figures.cached_tokens == 0);
    const Heard again = alone(engine, request);
    CHECK(again.figures.cached_tokens == 96);
    CHECK(ids_of(again) == ids_of(first));
    BatchRequest next = request;  // the next turn of the chat
    for (const int32_t id : ids_of(first)) next.prompt.push_back(id);
    next.prompt.push_back(5);
    CHECK(alone(engine, next).figures.cached_tokens == 128);
    BatchRequest adapted = request;
    adapted.adapter = "one";
    CHECK(alone(engine, adapted).figures.cached_tokens == 0);
    const BatchState state = state_after(engine, 4);
    CHECK(state.cached_prompt_tokens == 96 + 128);

    BatchEngine forgetful(tiny_language_model(), {.cache_bytes = state.cache_bytes_used});
    const Heard fresh = alone(forgetful, next);
    const Heard remembered = alone(engine, next);
    CHECK(ids_of(fresh) == ids_of(remembered));
    for (size_t t = 0; t < fresh.tokens.size(); ++t)
      CHECK(fresh.tokens[t].token.logprob == remembered.tokens[t].token.logprob);
  }

  TEST_CASE("what prompts that start together begin with is computed once") {
    if (!tensor::use_cpu_kernels()) {
      MESSAGE("SKIPPED: no CPU kernels in this build");
      return;
    }
    const TestingFolder folder;
    write_adapter(folder.path / "one", 100, false);
    BatchRequest parting = greedy(100, 10), adapted = greedy(100, 10);
    for (size_t i = 70; i < 100; ++i) parting.prompt[i] += 1;
    adapted.adapter = "one";
    const std::vector<BatchRequest> requests = {greedy(100, 10), greedy(100, 10), parting, adapted,
                                                adapted};
    for (const int step_tokens : {30, 512}) {
      BatchEngine engine(tiny_language_model(), {.step_tokens = step_tokens});
      engine.load_adapter("one", folder.path / "one");
      Collector collector;
      std::promise<void> all_there;
      engine.submit(greedy(5, 1, 90),
                    [&, told = all_there.get_future().share()](const BatchEvent&) { told.wait(); });
      for (size_t i = 0; i < requests.size(); ++i)
        REQUIRE(engine.submit(requests[i], collector.listener(i)));
      all_there.set_value();
      const std::vector<int> cached = {0, 96, 64, 0, 96};
      for (size_t i = 0; i < requests.size(); ++i) {
        const Heard heard = collector.wait(i);
        CHECK(heard.figures.cached_tokens == cached[i]);
        CHECK(ids_of(heard) == ids_of(alone(engine, requests[i])));
      }
    }
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
