#include "core/monitor/benchmark/stream_reader.h"

#include "core/base/testing.h"

namespace toolkit::monitor {

TEST_SUITE_BEGIN("unit");

TEST_CASE("Ollama's lines with the figures of the last") {
  StreamReader reader(StreamForm::kOllama);
  reader.line(R"({"model":"m","message":{"role":"assistant","content":"Hel"},"done":false})");
  reader.line(
      R"({"model":"m","message":{"role":"assistant","content":"","thinking":"hm"},"done":false})");
  reader.line(R"({"model":"m","response":"lo","done":false})");
  CHECK(reader.pieces() == 3);
  CHECK(!reader.is_done());
  reader.line(R"({"model":"m","message":{"content":""},"done":true,"done_reason":"stop",
    "load_duration":500000000,"prompt_eval_count":20,"prompt_eval_duration":100000000,
    "eval_count":64,"eval_duration":1600000000})");
  CHECK(reader.is_done());
  CHECK(reader.pieces() == 3);
  CHECK(reader.counts().tokens == 64);
  CHECK(reader.counts().tokens_per_second.value() == doctest::Approx(40));
  CHECK(reader.counts().prompt_tokens_per_second.value() == doctest::Approx(200));
  CHECK(reader.counts().load_seconds == 0.5);
  CHECK(reader.model() == "m");
}

TEST_CASE("figures that are missing or zero stay unknown") {
  StreamReader reader(StreamForm::kOllama);
  reader.line(R"({"done":true,"eval_count":5,"eval_duration":0})");
  CHECK(reader.is_done());
  CHECK(reader.counts().tokens == 5);
  CHECK(!reader.counts().tokens_per_second);
  CHECK(!reader.counts().prompt_tokens);
}

TEST_CASE("chat completions as server-sent events") {
  StreamReader reader(StreamForm::kOpenAi);
  reader.line(
      "data: "
      "{\"model\":\"m\",\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}");
  reader.line("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}");
  reader.line(": keep-alive");
  reader.line("");
  reader.line("data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"b\"}}]}");
  reader.line(
      "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":12},"
      "\"timings\":{\"predicted_per_second\":55.5}}");
  reader.line("data: [DONE]");
  CHECK(reader.pieces() == 2);
  CHECK(reader.is_done());
  CHECK(reader.counts().tokens == 12);
  CHECK(reader.counts().prompt_tokens == 9);
  CHECK(reader.counts().tokens_per_second == 55.5);
}

TEST_CASE("an answer that is not streamed is one line") {
  StreamReader reader(StreamForm::kOpenAi);
  reader.line(
      R"({"model":"m","choices":[{"message":{"content":"hello"}}],"usage":{"completion_tokens":3}})");
  CHECK(reader.pieces() == 1);
  CHECK(reader.counts().tokens == 3);
}

TEST_CASE("responses and Anthropic's messages") {
  StreamReader responses(StreamForm::kOpenAi);
  responses.line(R"(data: {"type":"response.output_text.delta","delta":"a"})");
  responses.line(
      R"(data: {"type":"response.completed","response":{"usage":{"input_tokens":4,"output_tokens":7}}})");
  CHECK(responses.pieces() == 1);
  CHECK(responses.is_done());
  CHECK(responses.counts().tokens == 7);
  StreamReader messages(StreamForm::kAnthropic);
  messages.line("event: message_start");
  messages.line(
      R"(data: {"type":"message_start","message":{"model":"c","usage":{"input_tokens":8,"output_tokens":1}}})");
  messages.line(R"(data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"a"}})");
  messages.line(R"(data: {"type":"message_delta","usage":{"output_tokens":15}})");
  messages.line(R"(data: {"type":"message_stop"})");
  CHECK(messages.pieces() == 1);
  CHECK(messages.is_done());
  CHECK(messages.model() == "c");
  CHECK(messages.counts().tokens == 15);
  CHECK(messages.counts().prompt_tokens == 8);
}

TEST_CASE("errors in the middle and garbage") {
  StreamReader ollama(StreamForm::kOllama);
  ollama.line("<html>");
  ollama.line("{not json");
  ollama.line("[1]");
  ollama.line(R"({"error":"model requires more system memory"})");
  CHECK(ollama.error() == "model requires more system memory");
  StreamReader open_ai(StreamForm::kOpenAi);
  open_ai.line(R"(data: {"error":{"message":"slow down"}})");
  CHECK(open_ai.error() == "slow down");
  CHECK(open_ai.pieces() == 0);
}

TEST_SUITE_END();

}  // namespace toolkit::monitor
