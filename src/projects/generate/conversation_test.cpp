#include "projects/generate/conversation.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/base/error.h"

namespace toolkit::generate {

namespace {

const engine::LanguageModel& tiny_model() {
  static const engine::LanguageModel model = engine::load_language_model(
      (std::filesystem::path(TOOLKIT_FIXTURES) / "models" / "llama").string(),
      tensor::Compute::kFloat32);
  return model;
}

const auto kNeverInterrupted = [] { return false; };

ChatConfig short_answers(const std::string& system = "") {
  return {.system = system, .max_tokens = 6, .sampling = {.temperature = 1.0, .seed = 1}};
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("history grows, is reused and can be reset") {
    Conversation chat(tiny_model(), short_answers("Be kind."));
    REQUIRE(chat.messages().size() == 1);
    std::string streamed;
    const auto first =
        chat.ask("Hi", [&](std::string_view text) { streamed += text; }, kNeverInterrupted);
    CHECK(streamed == first.result.text);
    REQUIRE(chat.messages().size() == 3);
    CHECK(chat.messages()[2].content == first.result.text);
    const auto second = chat.ask("More", {}, kNeverInterrupted);
    CHECK(second.result.reused_tokens >= first.result.prompt_tokens - 1);
    CHECK(chat.messages().size() == 5);
    chat.reset();
    CHECK(chat.messages().size() == 1);
    CHECK(chat.messages()[0].content == "Be kind.");
    chat.set_system("");
    CHECK(chat.messages().empty());
  }

  TEST_CASE("the same seed holds the same conversation") {
    const auto talk = [] {
      Conversation chat(tiny_model(), short_answers());
      chat.ask("Hi", {}, kNeverInterrupted);
      chat.ask("Again", {}, kNeverInterrupted);
      return chat.to_row();
    };
    CHECK(talk() == talk());
  }

  TEST_CASE("the oldest turns make room when the context is full") {
    Conversation chat(tiny_model(), short_answers("Stay."));
    int dropped = 0;
    for (int i = 0; i < 12; ++i)
      dropped += chat.ask("Tell me about the number " + std::to_string(i), {}, kNeverInterrupted)
                     .dropped_messages;
    CHECK(dropped > 0);
    CHECK(dropped % 2 == 0);
    CHECK(chat.messages()[0].role == "system");
    CHECK(chat.messages()[1].role == "user");
  }

  TEST_CASE("a message too long for the context is an error and is forgotten") {
    Conversation chat(tiny_model(), short_answers());
    std::string longest;
    for (int i = 0; i < 400; ++i) longest += "word ";
    CHECK_THROWS_AS(chat.ask(longest, {}, kNeverInterrupted), Error);
    CHECK(chat.messages().empty());
  }

  TEST_CASE("a saved conversation is a row of training data") {
    Conversation chat(tiny_model(), short_answers("S"));
    chat.ask("Hi", {}, kNeverInterrupted);
    const nlohmann::json row = nlohmann::json::parse(chat.to_row());
    CHECK(row["messages"].size() == 3);
    CHECK(row["messages"][1]["content"] == "Hi");
  }
}

}  // namespace toolkit::generate
