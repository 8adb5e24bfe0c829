#include <doctest/doctest.h>

#include <filesystem>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/testing.h"
#include "core/data/chat_rows.h"
#include "core/data/samples.h"

namespace toolkit::data {
namespace {

using std::string;

Row read_one(const string& line) {
  const testing::TestingFolder folder;
  ReadResult result = read_rows(folder.write("rows.jsonl", line + "\n"));
  INFO(line, result.bad.empty() ? "" : result.bad[0].reason);
  REQUIRE_EQ(result.rows.size(), 1);
  CHECK_EQ(result.format, "preference");
  return result.rows[0];
}

string reason_of(const string& line) {
  const testing::TestingFolder folder;
  const ReadResult result = read_rows(folder.write("rows.jsonl", line + "\n"));
  INFO(line);
  REQUIRE_EQ(result.bad.size(), 1);
  return result.bad[0].reason;
}

// "user:q assistant:a"
string said(const std::vector<text::Message>& messages) {
  string text;
  for (const text::Message& message : messages)
    text += (text.empty() ? "" : " ") + message.role + ":" + message.content;
  return text;
}

const string kQ = R"({"role":"user","content":"q"})", kA = R"({"role":"assistant","content":"a"})",
             kB = R"({"role":"assistant","content":"b"})",
             kAgain = R"({"role":"user","content":"r"})",
             kC = R"({"role":"assistant","content":"c"})";

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("preference rows: texts with a prompt and a system prompt") {
    const Row row = read_one(R"({"system":"s","prompt":"q","chosen":"a","rejected":"b"})");
    CHECK(row.is_preference());
    CHECK_EQ(said(row.messages), "system:s user:q assistant:a");
    CHECK_EQ(said(row.rejected), "system:s user:q assistant:b");
    CHECK_EQ(row.prompt_messages, 2);
  }

  TEST_CASE("preference rows: lists of messages behind the prompt, or whole conversations") {
    const string prompt = "\"prompt\":[" + kQ + "," + kA + "," + kAgain + "]";
    const Row lists =
        read_one("{" + prompt + ",\"chosen\":[" + kB + "],\"rejected\":[" + kC + "]}");
    CHECK_EQ(said(lists.messages), "user:q assistant:a user:r assistant:b");
    CHECK_EQ(said(lists.rejected), "user:q assistant:a user:r assistant:c");
    CHECK_EQ(lists.prompt_messages, 3);

    const string whole =
        R"("chosen":[)" + kQ + "," + kA + R"(],"rejected":[)" + kQ + "," + kB + "]";
    for (const string& line : {"{" + whole + "}", R"({"prompt":"q",)" + whole + "}",
                               "{\"prompt\":[" + kQ + "]," + whole + "}"}) {
      const Row row = read_one(line);
      CHECK_EQ(said(row.messages), "user:q assistant:a");
      CHECK_EQ(said(row.rejected), "user:q assistant:b");
      CHECK_EQ(row.prompt_messages, 1);
    }
    // One message may stand without a list around it.
    CHECK_EQ(
        said(read_one(R"({"prompt":"q","chosen":)" + kA + R"(,"rejected":)" + kB + "}").messages),
        "user:q assistant:a");
  }

  TEST_CASE("preference rows: as OpenAI's API has them") {
    const Row row = read_one(
        R"({"input": {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}]}, )"
        R"("preferred_output": [{"role": "assistant", "content": "good"}], )"
        R"("non_preferred_output": [{"role": "assistant", "content": "bad"}]})");
    CHECK_EQ(said(row.messages), "system:s user:q assistant:good");
    CHECK_EQ(said(row.rejected), "system:s user:q assistant:bad");
    CHECK_EQ(row.prompt_messages, 2);
    CHECK_EQ(reason_of(R"({"input": {"messages": []}, "preferred_output": []})"),
             "'non_preferred_output' is missing");
    CHECK(testing::contains(reason_of(R"({"preferred_output": [], "input": "q"})"), "'input'"));
  }

  TEST_CASE("preference rows: what cannot be compared says why") {
    const std::vector<std::pair<string, string>> cases = {
        {R"({"prompt":"q","chosen":"a"})", "'rejected' is missing"},
        {R"({"prompt":"q","chosen":"a","rejected":" "})", "'rejected' is empty"},
        {R"({"prompt":"q","chosen":"a","rejected":"a"})", "are the same"},
        {R"({"chosen":"a","rejected":"b"})", "'prompt' is missing"},
        {"{\"chosen\":[" + kQ + "],\"rejected\":[" + kQ + "," + kA + "]}", "no assistant message"},
        {"{\"chosen\":[" + kQ + "," + kA + "],\"rejected\":[" + kQ + "," + kA + "," + kAgain + "," +
             kB + "]}",
         "only begins the other"},
        {"{\"prompt\":[" + kAgain + "],\"chosen\":[" + kQ + "," + kA + "],\"rejected\":[" + kQ +
             "," + kB + "]}",
         "do not begin with 'prompt'"},
    };
    for (const auto& [line, expected] : cases) {
      const string reason = reason_of(line);
      INFO(line, " -> ", reason);
      CHECK(testing::contains(reason, expected));
    }
  }

  TEST_CASE("preference samples: only the answers behind the prompt are supervised") {
    const std::filesystem::path folder = std::filesystem::path(TOOLKIT_FIXTURES) / "models/llama";
    const auto tokenizer = text::Tokenizer::from_file(folder / "tokenizer.json");
    const text::ChatTemplate chat(text::kChatMlTemplate, "", "<|im_end|>");
    const Row row = read_one("{\"prompt\":[" + kQ + "," + kA + "," + kAgain + "],\"chosen\":[" +
                             kB + "],\"rejected\":\"the fox\"}");
    const auto [chosen, rejected] = make_preference_samples(row, *tokenizer, chat, 1000);
    const auto supervised = [&](const Sample& sample) {
      std::vector<int32_t> ids;
      for (size_t i = 0; i < sample.ids.size(); ++i)
        if (sample.supervised[i]) ids.push_back(sample.ids[i]);
      return tokenizer->decode(ids, false);
    };
    CHECK_EQ(supervised(chosen), "b<|im_end|>");
    CHECK_EQ(supervised(rejected), "the fox<|im_end|>");
    CHECK_EQ(tokenizer->decode(rejected.ids, false),
             "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n"
             "<|im_start|>user\nr<|im_end|>\n<|im_start|>assistant\nthe fox<|im_end|>\n");
    CHECK_EQ(chosen.line, 1);
    CHECK(make_sample(row, *tokenizer, chat, 2, 1000).supervised == chosen.supervised);

    const int prompt =
        static_cast<int>(std::find(chosen.supervised.begin(), chosen.supervised.end(), true) -
                         chosen.supervised.begin());
    const auto cut = make_preference_samples(row, *tokenizer, chat, prompt);
    CHECK(cut.chosen.truncated);
    CHECK_EQ(cut.chosen.supervised_count(), 0);
    CHECK_THROWS_AS(make_preference_samples(Row(), *tokenizer, chat, 10), Error);
  }
}

}  // namespace toolkit::data
