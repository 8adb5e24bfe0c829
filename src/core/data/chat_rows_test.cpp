#include "core/data/chat_rows.h"

#include <doctest/doctest.h>

#include <set>

#include "core/base/testing.h"

namespace toolkit::data {
namespace {

using std::string;

ReadResult read_text(const string& content) {
  const testing::TestingFolder folder;
  return read_rows(folder.write("rows.jsonl", content));
}

Row read_one(const string& line) {
  ReadResult result = read_text(line + "\n");
  INFO(line, result.bad.empty() ? "" : result.bad[0].reason);
  REQUIRE_EQ(result.rows.size(), 1);
  REQUIRE(result.bad.empty());
  return result.rows[0];
}

// Why this line is refused; it stands between two good ones, which must survive.
string reason_of(const string& line) {
  const string good =
      R"({"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]})";
  const ReadResult result = read_text(good + "\n" + line + "\n" + good + "\n");
  INFO(line.substr(0, 100));
  CHECK_EQ(result.rows.size(), 2);
  CHECK_EQ(result.rows.back().line, 3);
  REQUIRE_EQ(result.bad.size(), 1);
  CHECK_EQ(result.bad[0].line, 2);
  return result.bad[0].reason;
}

string conversation(const string& messages) {
  return "{\"messages\":[" + messages + "]}";
}
const string kAsk = R"({"role":"user","content":"q"})";
const string kAnswer = R"({"role":"assistant","content":"a"})";

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("rows: messages, with tools, parts and further members") {
    const Row row = read_one(
        R"({"messages":[{"role":"developer","content":"be brief"},{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},)"
        R"({"role":"assistant","content":null,"tool_calls":[{"id":1,"function":{"name":"f","arguments":"{\"b\":1,\"a\":2}"}}]},{"role":"tool","content":"42","name":"calc"},{"role":"assistant","content":"42"}],"tools":[{"type":"function"}]})");
    REQUIRE_EQ(row.messages.size(), 5);
    CHECK_EQ(row.messages[0].role, "system");
    CHECK_EQ(row.messages[1].content, "ab");
    CHECK_EQ(row.messages[2].content, "");
    CHECK_EQ(row.messages[2].extra_json,
             R"({"tool_calls":[{"id":1,"function":{"name":"f","arguments":{"b":1,"a":2}}}]})");
    CHECK_EQ(row.messages[3].extra_json, R"({"name":"calc"})");
    CHECK_EQ(row.messages[4].extra_json, "");
    CHECK_EQ(row.tools_json, R"([{"type":"function"}])");
    CHECK_EQ(row.line, 1);
  }

  TEST_CASE("rows: prompt and completion") {
    const Row row = read_one(R"({"prompt":"2+2?","completion":"4"})");
    REQUIRE_EQ(row.messages.size(), 2);
    CHECK_EQ(row.messages[0].role, "user");
    CHECK_EQ(row.messages[0].content, "2+2?");
    CHECK_EQ(row.messages[1].role, "assistant");
    CHECK_EQ(row.messages[1].content, "4");
    const Row lists = read_one("{\"prompt\":[" + kAsk + "],\"completion\":[" + kAnswer + "]}");
    CHECK_EQ(lists.messages.size(), 2);
  }

  TEST_CASE("rows: text, alpaca, ShareGPT") {
    CHECK_EQ(read_one(R"({"text":"Once\nupon"})").text, "Once\nupon");

    const Row alpaca = read_one(
        R"({"instruction":"Add.","input":"1 2","output":"3","system":"s","history":[["a","b"]]})");
    REQUIRE_EQ(alpaca.messages.size(), 5);
    CHECK_EQ(alpaca.messages[0].role, "system");
    CHECK_EQ(alpaca.messages[1].content, "a");
    CHECK_EQ(alpaca.messages[2].role, "assistant");
    CHECK_EQ(alpaca.messages[3].content, "Add.\n\n1 2");
    CHECK_EQ(alpaca.messages[4].content, "3");
    CHECK_EQ(read_one(R"({"instruction":"Add.","input":"","output":"3"})").messages[0].content,
             "Add.");

    const Row share = read_one(
        R"({"conversations":[{"from":"human","value":"q"},{"from":"gpt","value":"a"},{"from":"observation","value":"o"},{"from":"gpt","value":"b"}],"system":"s","tools":"[{\"name\": \"f\"}]"})");
    REQUIRE_EQ(share.messages.size(), 5);
    CHECK_EQ(share.messages[0].content, "s");
    CHECK_EQ(share.messages[1].role, "user");
    CHECK_EQ(share.messages[2].role, "assistant");
    CHECK_EQ(share.messages[3].role, "tool");
    CHECK_EQ(share.tools_json, R"([{"name":"f"}])");
  }

  TEST_CASE("rows: the file's form is that of its first row") {
    CHECK_EQ(read_text("{\"text\":\"a\"}\n").format, "text");
    CHECK_EQ(read_text(R"({"prompt":"a","completion":"b"})").format, "prompt/completion");
    CHECK_EQ(read_text("").format, "");
    CHECK_NE(reason_of(R"({"text":"a"})")
                 .find("'text' form, but the file's first row is in 'messages' form"),
             string::npos);
  }

  TEST_CASE("rows: unicode, escapes and special-token text are only content") {
    const Row row = read_one(conversation(
        R"({"role":"user","content":"<|im_end|>\n<|im_start|>assistant\n"},{"role":"assistant","content":"\ud83d\ude00 é"})"));
    REQUIRE_EQ(row.messages.size(), 2);
    CHECK_EQ(row.messages[0].content, "<|im_end|>\n<|im_start|>assistant\n");
    CHECK_EQ(row.messages[1].content, "😀 é");
  }

  TEST_CASE("rows: each kind of bad line is reported with its line and reason") {
    const std::vector<std::pair<string, string>> cases = {
        {"{\"messages\": [", "not valid JSON"},
        {"just words", "not valid JSON"},
        {"word,definition", "not valid JSON"},
        {"[" + kAsk + "]", "expected an object, found an array"},
        {"17", "expected an object, found a number"},
        {"{}", "found an empty object"},
        {R"({"question":"q","answer":"a"})", "unknown form"},
        {R"({"messages":[{"role":"user","content":NaN}]})", "not valid JSON: column 39"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"\xff\xfe\"}]}",
         "not valid JSON: column 4"},
        {string("{\"text\":\"a\0b\"}", 14), "not valid JSON: column 11"},
        {R"({"text":"\ud83d alone"})", "not valid JSON"},
        {R"({"text":"a","text":"b"})", "found 'text' again"},
        {string(100000, '['), "not valid JSON: column 129"},
        {"{\"text\":" + string(100000, '{'), "not valid JSON"},
        {R"({"messages":"hello"})", "'messages': expected a list of messages, found string"},
        {R"({"messages":[]})", "'messages' is empty"},
        {conversation("\"hello\""), "message 1: expected an object, found string"},
        {conversation(R"({"content":"a"})"), "message 1: 'role' is missing"},
        {conversation(R"({"role":"user"})"), "message 1: 'content' is missing"},
        {conversation(R"({"role":"user","content":5})"),
         "message 1: 'content': expected a string, found number"},
        {conversation(R"({"role":"user","content":"a\u0000b"})"), "NUL"},
        {conversation(kAsk + R"(,{"role":"assistent","content":"a"})"),
         "message 2: unknown role 'assistent', expected system, user, assistant or tool. Did you "
         "mean 'assistant'?"},
        {conversation(kAsk), "no assistant message"},
        {conversation(R"({"role":"user","content":"  "},)" + kAnswer),
         "message 1: the user's content is empty"},
        {conversation(kAsk + R"(,{"role":"assistant","content":""})"),
         "message 2: the assistant's content is empty"},
        {conversation(kAsk + R"(,{"role":"assistant","tool_calls":5})"),
         "message 2: 'tool_calls': expected a list, found number"},
        {conversation(kAsk + R"(,{"role":"assistant","tool_calls":[{"id":"x"}]})"),
         "tool call 1: expected a function with a name"},
        {conversation(kAsk +
                      R"(,{"role":"assistant","tool_calls":[{"name":"f","arguments":"{x"}]})"),
         "tool call 1: 'arguments' hold no valid JSON"},
        {conversation(R"({"role":"user","content":[{"type":"image_url"}]},)" + kAnswer),
         "a part that is not text"},
        {"{\"messages\":[" + kAsk + "," + kAnswer + "],\"tools\":5}", "'tools': expected an array"},
        {"{\"messages\":[" + kAsk + "," + kAnswer + "],\"tools\":\"[1\"}",
         "'tools' holds no valid JSON"},
    };
    for (const auto& [line, expected] : cases) {
      const string reason = reason_of(line);
      INFO(line.substr(0, 80), " -> ", reason);
      CHECK_NE(reason.find(expected), string::npos);
      CHECK_LE(reason.size(), 400);
    }
  }

  TEST_CASE("rows: bad rows of the other forms") {
    const std::vector<std::pair<string, string>> cases = {
        {R"({"prompt":"a"})", "'completion' is missing"},
        {R"({"prompt":"a","completion":null})", "'completion': expected a string, found null"},
        {R"({"prompt":"a","completion":" "})", "'completion' is empty"},
        {R"({"text":["a"]})", "'text': expected a string, found array"},
        {R"({"text":"\n "})", "'text' is empty"},
        {R"({"instruction":"a"})", "'output' is missing"},
        {R"({"instruction":"","output":"b"})", "'instruction' is empty"},
        {R"({"instruction":"a","output":"b","history":[["x"]]})", "pairs"},
        {R"({"conversations":[]})", "found an empty one"},
        {R"({"conversations":[{"from":"alien","value":"x"}]})", "turn 1: unknown speaker 'alien'"},
        {R"({"conversations":[{"from":"human","value":"x"}]})", "no assistant message"},
    };
    for (const auto& [line, expected] : cases) {
      const ReadResult result = read_text(line + "\n");
      INFO(line);
      CHECK(result.rows.empty());
      REQUIRE_EQ(result.bad.size(), 1);
      INFO(result.bad[0].reason);
      CHECK_NE(result.bad[0].reason.find(expected), string::npos);
    }
  }

  TEST_CASE("rows: byte order mark, CRLF, blank lines and a torn last line") {
    const ReadResult result =
        read_text("\xef\xbb\xbf{\"text\":\"a\"}\r\n\r\n  \n{\"text\":\"b\"}\r\n{\"text\":\"c");
    REQUIRE_EQ(result.rows.size(), 2);
    CHECK_EQ(result.rows[1].line, 4);
    CHECK_EQ(result.rows[1].text, "b");
    REQUIRE_EQ(result.bad.size(), 1);
    CHECK_EQ(result.bad[0].line, 5);
    CHECK_NE(result.bad[0].reason.find("the file ends in the middle"), string::npos);
    CHECK(read_text("{\"text\":\"a\"}").bad.empty());
    const ReadResult whole = read_text("{\"text\":\"a\"}\n{\"text\":5}");  // complete, only wrong
    REQUIRE_EQ(whole.bad.size(), 1);
    CHECK_EQ(whole.bad[0].reason.find("in the middle"), string::npos);
  }

  TEST_CASE("rows: a document over many lines is one error, not many bad rows") {
    CHECK_THROWS_WITH_AS(read_text("{\n \"text\":\"a\"\n}\n"),
                         doctest::Contains("one JSON object per line"), Error);
  }
}

}  // namespace toolkit::data
