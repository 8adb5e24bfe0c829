#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/base/atomic_file.h"
#include "core/base/json.h"
#include "core/base/testing.h"
#include "core/checkpoint/adapter.h"
#include "mlx/mlx.h"
#include "projects/evaluate/page.h"

namespace toolkit::evaluate {

namespace {

namespace fs = std::filesystem;
using testing::contains;
using testing::refusal_of;
using testing::TestingFolder;

const std::string kModel = (fs::path(TOOLKIT_FIXTURES) / "models" / "llama").string();
const fs::path kTasks = fs::path(TOOLKIT_FIXTURES) / "tasks";

/// An adapter of the tiny model that changes what it says.
std::string adapter_in(const TestingFolder& folder) {
  checkpoint::Adapter adapter{.rank = 2, .scale = 1.0f, .keys = {"mlp.down_proj"}};
  const std::string module = "model.layers.2.mlp.down_proj";
  adapter.tensors.emplace(module + ".lora_a", mx::ones({64, 2}));
  adapter.tensors.emplace(module + ".lora_b", mx::full({2, 32}, 3.0f));
  checkpoint::save_adapter(folder.path / "adapter", adapter);
  return (folder.path / "adapter").string();
}

}  // namespace

TEST_SUITE("reference") {
  TEST_CASE("evaluate: accuracy and exact match are those of transformers") {
    const Json expected = Json::parse(read_file(kTasks / "expected.json"));
    const Config config{
        .model = kModel,
        .task = {(kTasks / "choices.jsonl").string(), (kTasks / "answers.jsonl").string()},
        .task_format = "plain",
        .answer_tokens = expected["answer_tokens"]};
    const Result result = run(config, true);
    const Json tasks = to_json(config, result)["tasks"];
    const auto check_score = [&](const Json& score, const char* name) {
      CHECK(score[name]["value"].get<double>() ==
            doctest::Approx(expected[name]["value"].get<double>()));
      CHECK(score[name]["error"].get<double>() ==
            doctest::Approx(expected[name]["error"].get<double>()));
    };
    check_score(tasks[0]["base"], "acc");
    check_score(tasks[0]["base"], "acc_norm");
    check_score(tasks[1]["base"], "exact_match");
    CHECK(result.base_judgement->tasks[1].said == expected["said"].get<std::vector<std::string>>());
  }
}

TEST_SUITE("unit") {
  TEST_CASE("evaluate: an adapter is compared with the base question by question") {
    const TestingFolder folder;
    const fs::path rows =
        folder.write("rows.jsonl", R"({"prompt": "Hi", "completion": "Hello there"})"
                                   "\n"
                                   R"({"prompt": "One", "completion": "Two three"})"
                                   "\n");
    Config config{.model = kModel,
                  .data = rows.string(),
                  .adapter = adapter_in(folder),
                  .task = {(kTasks / "choices.jsonl").string()},
                  .answer_tokens = 4,
                  .samples = 1,
                  .details = (folder.path / "details.jsonl").string()};
    const Result result = run(config, true);
    const Json json = to_json(config, result);
    const Json& task = json["tasks"][0];
    CHECK(task["gain"]["acc"]["value"].get<double>() ==
          doctest::Approx(task["tuned"]["acc"]["value"].get<double>() -
                          task["base"]["acc"]["value"].get<double>()));
    CHECK(json["samples"][0]["expected"] == "Hello there");
    const std::string page = to_page(config, result);
    CHECK(contains(page, "acc_norm"));
    CHECK(contains(page, "tuned - base"));
    CHECK(contains(page, "question  Hi"));
    const std::string details = read_file(config.details);
    CHECK(std::count(details.begin(), details.end(), '\n') == 2 + 24);
    const Json first = Json::parse(details.substr(0, details.find('\n')));
    CHECK(first["row"] == 1);
    CHECK(first["tuned"]["tokens"] == result.tuned_judgement->rows[0].tokens);

    config.without_base = true;
    const Result tuned = run(config, true);
    CHECK_FALSE(tuned.base);
    CHECK(tuned.tuned->loss.value == doctest::Approx(result.tuned->loss.value));
    CHECK_FALSE(contains(to_page(config, tuned), "tuned - base"));
  }

  TEST_CASE("evaluate: of preference rows the chosen answer is the right one") {
    const TestingFolder folder;
    const std::string pair = R"({"prompt": "p", "chosen": "a b", "rejected": "c"})"
                             "\n";
    const fs::path file = folder.write("pairs.jsonl", pair + pair);
    const Config config{.model = kModel, .adapter = adapter_in(folder), .task = {file.string()}};
    const Result result = run(config, true);
    const Json task = to_json(config, result)["tasks"][0];
    const engine::ChoiceAnswer& base = result.base_judgement->tasks[0].choices[0];
    const double margin = base.log_likelihoods[0] - base.log_likelihoods[1];
    CHECK(task["base"]["margin"]["value"].get<double>() == doctest::Approx(margin));
    CHECK(task["base"]["acc"]["value"].get<double>() == (margin > 0 ? 1 : 0));
    CHECK(task["gain"]["margin"]["error"].get<double>() == doctest::Approx(0));  // equal rows
    CHECK(contains(to_page(config, result), "margin"));
    const auto refusal = [&](const std::string& text) {
      return refusal_of([&] { read_task(folder.write("t.jsonl", text), {}, 0); });
    };
    CHECK(contains(refusal(R"({"prompt": "p", "chosen": ["a"], "rejected": "c"})"), "a text"));
    CHECK(contains(refusal(R"({"prompt": "p", "chosen": "a", "rejected": "a"})"), "the same"));
    CHECK(contains(refusal(pair + R"({"prompt": "p", "choices": ["a", "b"], "answer": 0})"),
                   "unlike the first"));
  }

  TEST_CASE("evaluate: a base packed to 4 bits is another model") {
    Config config{.model = kModel,
                  .data = (fs::path(TOOLKIT_SOURCE_DIR) / "examples/data/dictionary").string(),
                  .limit = 2,
                  .max_length = 64};
    const double exact = run(config, true).base->loss.value;
    config.base_bits = 4;
    config.quantize_group = 32;
    const double packed = run(config, true).base->loss.value;
    CHECK(packed != exact);
    CHECK(packed == doctest::Approx(exact).epsilon(0.05));
  }

  TEST_CASE("evaluate: questions in the field's forms are read") {
    const TestingFolder folder;
    const auto right = [&](const std::string& line, const std::vector<std::string>& columns = {}) {
      return read_task(folder.write("t.jsonl", line + "\n"), columns, 0).rows[0].right;
    };
    CHECK(right(R"({"question": "q", "choices": ["x", "y"], "answer": 1})") == 1);
    CHECK(right(R"({"question": "q", "choices": ["x", "y"], "answer": "y"})") == 1);
    CHECK(right(R"({"question": "q", "choices": ["x", "y"], "answer": "B"})") == 1);
    CHECK(right(R"({"question": "q", "choices": ["x", "y"], "answer": "1"})") == 1);
    CHECK(right(R"({"question": "q", "choices": {"text": ["x", "y"], "label": ["1", "2"]}, )"
                R"("answerKey": "2"})") == 1);
    CHECK(right(R"({"ctx": "q", "endings": ["x", "y", "z"], "label": "2"})",
                {"question=ctx", "choices=endings", "answer=label"}) == 2);
    CHECK(right(R"({"d": {"q": "q", "c": ["x", "y"]}, "answer": 0})",
                {"question=d.q", "choices=d.c"}) == 0);
    const Task csv = read_task(
        folder.write("t.csv", "question,choices,answer\nq,\"[\"\"x\"\", \"\"y\"\"]\",y\n"), {}, 0);
    CHECK(csv.rows[0].right == 1);
    const Task match =
        read_task(folder.write("m.jsonl",
                               "{\"prompt\": \"p\", \"answer\": [\"a\", 7]}\n{\"prompt\": \"q\", "
                               "\"answer\": \"b\"}\n"),
                  {}, 1);
    CHECK_FALSE(match.multiple_choice);
    REQUIRE(match.rows.size() == 1);
    CHECK(match.rows[0].answers == std::vector<std::string>{"a", "7"});
  }

  TEST_CASE("evaluate: a question that cannot be used is named with its line") {
    const TestingFolder folder;
    const auto refusal = [&](const std::string& text,
                             const std::vector<std::string>& columns = {}) {
      return refusal_of([&] { read_task(folder.write("t.jsonl", text), columns, 0); });
    };
    const std::string good = "{\"question\": \"q\", \"choices\": [\"x\", \"y\"], \"answer\": 0}\n";
    CHECK(contains(refusal(good + "{\"question\": \"q\", \"choices\": [\"x\", \"y\"]}\n"),
                   "t.jsonl:2: no 'answer'"));
    CHECK(contains(refusal("{\"question\": \"q\", \"choices\": [\"x\", \"y\"], \"answer\": 2}\n"),
                   "found 2"));
    CHECK(contains(refusal("{\"question\": \"q\", \"choices\": [\"x\"], \"answer\": 0}\n"),
                   "two or more"));
    CHECK(contains(refusal("{\"text\": \"q\"}\n"), "no 'question'"));
    CHECK(
        contains(refusal(good + "{\"question\": \"q\", \"answer\": \"x\"}\n"), "unlike the first"));
    CHECK(contains(refusal("nonsense\n"), "t.jsonl:1"));
    CHECK(contains(refusal(""), "no questions"));
    CHECK(contains(refusal(good, {"choice=x"}), "Did you mean 'choices'"));
    CHECK(contains(refusal_of([] { run({.model = kModel}, true); }), "--task"));
    CHECK(contains(
        refusal_of([] { run({.model = kModel, .data = "x", .without_base = true}, true); }),
        "--adapter"));
  }
}

}  // namespace toolkit::evaluate
