#include "engine/evaluate/choices.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "core/base/atomic_file.h"
#include "core/base/json.h"
#include "core/base/testing.h"

namespace toolkit::engine {

namespace {

namespace fs = std::filesystem;

LanguageModel tiny_llama() {
  return load_language_model((fs::path(TOOLKIT_FIXTURES) / "models" / "llama").string(),
                             tensor::Compute::kFloat32);
}

}  // namespace

TEST_SUITE("reference") {
  TEST_CASE("choices are as likely as transformers finds them") {
    const fs::path folder = fs::path(TOOLKIT_FIXTURES) / "tasks";
    const Json expected = Json::parse(read_file(folder / "expected.json"));
    std::vector<ChoiceQuestion> questions;
    std::string text = read_file(folder / "choices.jsonl");
    for (size_t begin = 0; begin < text.size(); begin = text.find('\n', begin) + 1) {
      const Json row = Json::parse(text.substr(begin, text.find('\n', begin) - begin));
      questions.push_back(
          {.context = row["question"], .delimiter = " ", .choices = row["choices"], .where = "f"});
    }
    const LanguageModel model = tiny_llama();
    const auto answers = answer_choices(model, questions, true, {.batch_tokens = 256});
    REQUIRE(answers.size() == expected["log_likelihoods"].size());
    for (size_t i = 0; i < answers.size(); ++i) {
      const auto values = expected["log_likelihoods"][i].get<std::vector<double>>();
      REQUIRE(answers[i].log_likelihoods.size() == values.size());
      for (size_t j = 0; j < values.size(); ++j)
        CHECK(answers[i].log_likelihoods[j] == doctest::Approx(values[j]).epsilon(1e-4));
    }
  }
}

TEST_SUITE("unit") {
  TEST_CASE("choices: a space at the question's end belongs to the choice") {
    const LanguageModel model = tiny_llama();
    const std::vector<ChoiceQuestion> questions = {
        {.context = "One two", .delimiter = " ", .choices = {"three", "four"}},
        {.context = "One two ", .delimiter = "", .choices = {"three", "four"}},
        {.context = "", .delimiter = "", .choices = {"three", "four five"}}};
    const auto answers = answer_choices(model, questions, false, {});
    CHECK(answers[0].log_likelihoods[0] == doctest::Approx(answers[1].log_likelihoods[0]));
    CHECK(answers[0].log_likelihoods[1] == doctest::Approx(answers[1].log_likelihoods[1]));
    CHECK(answers[2].log_likelihoods[0] < 0);
    // Of random weights a longer choice is less likely, by the character it need not be.
    CHECK(answers[2].picked == 0);
  }

  TEST_CASE("choices: a question longer than the model takes is named") {
    const LanguageModel model = tiny_llama();
    const std::vector<ChoiceQuestion> questions = {{.context = std::string(3000, 'x'),
                                                    .delimiter = " ",
                                                    .choices = {"a", "b"},
                                                    .where = "f:7"}};
    const std::string refusal =
        testing::refusal_of([&] { answer_choices(model, questions, false, {}); });
    CHECK(testing::contains(refusal, "f:7"));
    CHECK(testing::contains(refusal, "the model takes 256"));
  }
}

}  // namespace toolkit::engine
