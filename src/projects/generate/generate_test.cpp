#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/base/testing.h"
#include "projects/generate/command.h"

namespace toolkit::generate {

namespace {

/// Runs the command with settings as on a command line.
nlohmann::json run(const std::vector<std::pair<std::string, std::string>>& settings) {
  cli::Command command = generate_command();
  for (const auto& [name, value] : settings)
    for (const Field& field : command.fields)
      if (field.name == name) set_field(field, {value}, "--" + name);
  check_fields(command.fields);
  return command.run({.json = true, .quiet = true});
}

const std::string kModel = (std::filesystem::path(TOOLKIT_FIXTURES) / "models" / "llama").string();

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("generate answers a prompt and reports what it did") {
    const nlohmann::json result = run({{"model", kModel},
                                       {"prompt", "Hello"},
                                       {"max-tokens", "5"},
                                       {"temperature", "1"},
                                       {"seed", "4"}});
    CHECK(result["text"].is_string());
    CHECK(result["generated_tokens"].get<int>() <= 5);
    CHECK(result["prompt_tokens"].get<int>() > 5);  // the template around it counts
    CHECK(result == result);
    const nlohmann::json raw =
        run({{"model", kModel}, {"prompt", "Hello"}, {"raw", "true"}, {"max-tokens", "1"}});
    CHECK(raw["prompt_tokens"].get<int>() < result["prompt_tokens"].get<int>());
  }

  TEST_CASE("a prompt file is the prompt, without its last line end") {
    const testing::TestingFolder folder;
    const auto file = folder.write("prompt.txt", "Hello\n");
    const nlohmann::json from_file =
        run({{"model", kModel}, {"prompt-file", file.string()}, {"max-tokens", "4"}});
    const nlohmann::json given = run({{"model", kModel}, {"prompt", "Hello"}, {"max-tokens", "4"}});
    CHECK(from_file["text"] == given["text"]);
    CHECK(from_file["prompt_tokens"] == given["prompt_tokens"]);
  }

  TEST_CASE("contradicting or missing settings are errors") {
    CHECK_THROWS_AS(run({{"model", kModel}, {"prompt", "a"}, {"prompt-file", "b"}}), Error);
    CHECK_THROWS_AS(run({{"model", kModel}, {"prompt", "a"}, {"raw", "true"}, {"system", "s"}}),
                    Error);
    CHECK_THROWS_AS(run({{"model", kModel}, {"prompt-file", "/no/such/file"}}), Error);
    CHECK_THROWS_AS(run({{"model", "/no/such/model"}, {"prompt", "a"}}), Error);
    CHECK_THROWS_AS(run({{"model", kModel}, {"prompt", "a"}, {"adapter", "/no/such/adapter"}}),
                    Error);
    CHECK_THROWS_AS(run({{"model", kModel}, {"prompt", "a"}, {"max-tokens", "0"}}), Error);
  }
}

}  // namespace toolkit::generate
