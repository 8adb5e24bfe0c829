#include "engine/batch/batch_engine.h"

#include <doctest/doctest.h>

#include <future>

#include "core/base/testing.h"
#include "engine/batch/collector_for_tests.h"

namespace toolkit::engine {

namespace {

using testing::TestingFolder;

}  // namespace

TEST_SUITE("unit") {
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
}

}  // namespace toolkit::engine
