#include "engine/batch/batch_engine.h"

#include <doctest/doctest.h>

#include "core/base/testing.h"
#include "engine/batch/collector_for_tests.h"
#include "engine/generate/generator.h"

namespace toolkit::engine {

namespace {

using testing::contains;
using testing::refusal_of;
using testing::TestingFolder;

}  // namespace

TEST_SUITE("unit") {
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
}

}  // namespace toolkit::engine
