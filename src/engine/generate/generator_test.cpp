#include "engine/generate/generator.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "core/base/error.h"
#include "mlx/mlx.h"

namespace toolkit::engine {

namespace {

const LanguageModel& tiny_model() {
  static const LanguageModel model =
      load_language_model((std::filesystem::path(TOOLKIT_FIXTURES) / "models" / "llama").string(),
                          tensor::Compute::kFloat32);
  return model;
}

std::vector<int32_t> prompt_of(int length) {
  std::vector<int32_t> ids;
  for (int i = 0; i < length; ++i) ids.push_back(10 + (i * 7) % 200);
  return ids;
}

/// Greedy tokens by running the whole sequence again for each: no cache, no chunks.
std::vector<int32_t> slow_greedy(std::vector<int32_t> ids, int count) {
  const models::Decoder& decoder = *tiny_model().decoder;
  std::vector<int32_t> made;
  for (int i = 0; i < count; ++i) {
    const int length = static_cast<int>(ids.size());
    const mx::array logits =
        decoder.logits(decoder.hidden(mx::array(ids.data(), {1, length}, mx::int32)));
    const mx::array last = mx::slice(logits, {0, length - 1, 0}, {1, length, logits.shape(2)});
    ids.push_back(static_cast<int32_t>(mx::argmax(last).item<uint32_t>()));
    made.push_back(ids.back());
  }
  return made;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("greedy tokens are those of full passes, whatever the size of the pieces") {
    const std::vector<int32_t> prompt = prompt_of(23);
    const std::vector<int32_t> expected = slow_greedy(prompt, 12);
    for (const int piece : {1, 7, 512}) {
      Generator generator(tiny_model());
      const GenerateResult result = generator.generate(
          prompt, {.max_tokens = 12, .ignore_stop_ids = true, .prefill_tokens = piece});
      CHECK(result.ids == expected);
      CHECK(result.reason == StopReason::kMaxTokens);
      CHECK(result.prompt_tokens == 23);
      CHECK(result.first_token_seconds > 0.0);
    }
  }

  TEST_CASE("a prompt that continues the last one costs only its new tokens, and changes nothing") {
    const std::vector<int32_t> first = prompt_of(20);
    Generator generator(tiny_model());
    const GenerateOptions options{.max_tokens = 6, .ignore_stop_ids = true};
    const GenerateResult one = generator.generate(first, options);
    std::vector<int32_t> second = first;
    second.insert(second.end(), one.ids.begin(), one.ids.end());
    second.insert(second.end(), {40, 41, 42});
    const GenerateResult two = generator.generate(second, options);
    CHECK(two.reused_tokens == 25);  // the answer's last token was never fed back
    CHECK(two.ids == slow_greedy(second, 6));
    const GenerateResult again = generator.generate(first, options);  // shorter: the cache is cut
    CHECK(again.reused_tokens == 19);
    CHECK(again.ids == one.ids);
    generator.forget();
    CHECK(generator.generate(first, options).reused_tokens == 0);
  }

  TEST_CASE("stop ids, stop texts and interruption end the answer") {
    const std::vector<int32_t> prompt = prompt_of(15);
    Generator generator(tiny_model());
    const GenerateResult all =
        generator.generate(prompt, {.max_tokens = 10, .ignore_stop_ids = true});

    LanguageModel stopping =
        load_language_model((std::filesystem::path(TOOLKIT_FIXTURES) / "models" / "llama").string(),
                            tensor::Compute::kFloat32);
    stopping.stop_ids = {all.ids[4]};
    const auto first_stop = std::find(all.ids.begin(), all.ids.end(), all.ids[4]) - all.ids.begin();
    const GenerateResult stopped = Generator(stopping).generate(prompt, {.max_tokens = 10});
    CHECK(stopped.reason == StopReason::kStopToken);
    CHECK(static_cast<std::ptrdiff_t>(stopped.ids.size()) == first_stop);

    if (all.text.size() >= 4) {
      const std::string stop = all.text.substr(2, 2);
      std::string streamed;
      const GenerateResult cut =
          generator.generate(prompt, {.max_tokens = 10,
                                      .stop_texts = {stop},
                                      .ignore_stop_ids = true,
                                      .on_text = [&](std::string_view text) { streamed += text; }});
      CHECK(cut.reason == StopReason::kStopText);
      CHECK(cut.text == all.text.substr(0, all.text.find(stop)));
      CHECK(streamed == cut.text);
    }

    int asked = 0;
    const GenerateResult interrupted = generator.generate(
        prompt,
        {.max_tokens = 10, .ignore_stop_ids = true, .interrupted = [&] { return ++asked > 4; }});
    CHECK(interrupted.reason == StopReason::kInterrupted);
    CHECK(interrupted.ids.size() == 3);
    CHECK(generator.generate(prompt, {.max_tokens = 10, .ignore_stop_ids = true}).ids == all.ids);
  }

  TEST_CASE("streamed text is the text") {
    std::string streamed;
    Generator generator(tiny_model());
    const GenerateResult result = generator.generate(
        prompt_of(9), {.sampling = {.temperature = 1.0, .seed = 3},
                       .max_tokens = 30,
                       .ignore_stop_ids = true,
                       .on_text = [&](std::string_view text) { streamed += text; }});
    CHECK(result.ids.size() == 30);
    CHECK(streamed == result.text);
  }

  TEST_CASE("the context's end stops an answer - prompts that cannot be are errors") {
    Generator generator(tiny_model());
    const int context = tiny_model().decoder->config().max_positions;
    const GenerateResult full =
        generator.generate(prompt_of(context - 3), {.max_tokens = 10, .ignore_stop_ids = true});
    CHECK(full.reason == StopReason::kContextFull);
    CHECK(full.ids.size() == 3);
    CHECK_THROWS_AS(generator.generate({}, {}), Error);
    CHECK_THROWS_AS(generator.generate(prompt_of(context), {}), Error);
    CHECK_THROWS_AS(generator.generate(std::vector<int32_t>{1, 100000}, {}), Error);
    CHECK_THROWS_AS(generator.generate(std::vector<int32_t>{-1}, {}), Error);
  }
}

}  // namespace toolkit::engine
