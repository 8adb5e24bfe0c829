#include <doctest/doctest.h>

#include <chrono>
#include <thread>

#include "core/base/testing.h"
#include "projects/serve/served_for_tests.h"

using namespace toolkit;
using namespace toolkit::serve;
using namespace toolkit::serve::testing;
using toolkit::testing::contains;

namespace {

const Json kWeatherTool = {
    {"type", "function"},
    {"function",
     {{"name", "weather"},
      {"parameters", {{"type", "object"}, {"properties", {{"city", {{"type", "string"}}}}}}}}}};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a chat answer has the form clients read") {
    Served served;
    const Reply reply = served.post("/v1/chat/completions", chat());
    REQUIRE(reply.status == 200);
    const Json json = reply.json();
    CHECK(json["object"] == "chat.completion");
    CHECK(json["id"].get<std::string>().starts_with("chatcmpl-"));
    CHECK(json["choices"][0]["message"]["content"] == "Hello there");
    CHECK(json["choices"][0]["finish_reason"] == "stop");
    CHECK(json["usage"]["prompt_tokens"] == 5);
    CHECK(json["usage"]["completion_tokens"] == 2);
    CHECK(json["usage"]["prompt_tokens_details"]["cached_tokens"] == 2);
  }

  TEST_CASE("a streamed chat opens with the role and ends with the reason and usage") {
    Served served;
    const Reply reply =
        served.post("/v1/chat/completions",
                    chat({{"stream", true}, {"stream_options", {{"include_usage", true}}}}));
    bool done = false;
    const std::vector<Json> events = events_of(reply.body, done);
    CHECK(done);
    REQUIRE(events.size() == 5);
    CHECK(events[0]["choices"][0]["delta"]["role"] == "assistant");
    CHECK(events[1]["choices"][0]["delta"] == Json{{"content", "Hello"}});
    CHECK(events[2]["choices"][0]["delta"] == Json{{"content", " there"}});
    CHECK(events[3]["choices"][0]["delta"] == Json::object());
    CHECK(events[3]["choices"][0]["finish_reason"] == "stop");
    CHECK(events[4]["choices"].empty());
    CHECK(events[4]["usage"]["total_tokens"] == 7);
    for (const Json& event : events) CHECK(event["id"] == events[0]["id"]);
  }

  TEST_CASE("settings reach the engine") {
    Served served;
    served.post("/v1/chat/completions", chat({{"model", "tuned"},
                                              {"temperature", 0.5},
                                              {"seed", 7},
                                              {"n", 2},
                                              {"stop", {"a", "b"}},
                                              {"max_completion_tokens", 9},
                                              {"presence_penalty", 1},
                                              {"logit_bias", {{"12", -100}}},
                                              {"logprobs", true},
                                              {"top_logprobs", 3},
                                              {"ignore_eos", true}}));
    const auto& requests = served.script->requests;
    REQUIRE(requests.size() == 2);
    CHECK(requests[0].adapter == "tuned");
    CHECK(requests[0].sampling.temperature == 0.5);
    CHECK(requests[0].sampling.seed == 7);
    CHECK(requests[1].sampling.seed == 8);
    CHECK(requests[0].stop_texts == std::vector<std::string>{"a", "b"});
    CHECK(requests[0].max_tokens == 9);
    CHECK(requests[0].sampling.presence_penalty == 1);
    CHECK(requests[0].sampling.logit_bias == std::vector<std::pair<int32_t, float>>{{12, -100.0f}});
    CHECK(requests[0].top_logprobs == 3);
    CHECK(requests[0].ignore_stop_ids);
    CHECK(requests[0].deadline);
  }

  TEST_CASE("contents may come in parts and assistants may only call") {
    Served served;
    const Json messages = {
        {{"role", "developer"}, {"content", "Be brief."}},
        {{"role", "user"},
         {"content",
          {{{"type", "text"}, {"text", "What "}}, {{"type", "text"}, {"text", "time?"}}}}},
        {{"role", "assistant"},
         {"content", nullptr},
         {"tool_calls",
          {{{"id", "c1"},
            {"type", "function"},
            {"function", {{"name", "clock"}, {"arguments", "{\"zone\":1}"}}}}}}},
        {{"role", "tool"}, {"tool_call_id", "c1"}, {"content", "noon"}}};
    CHECK(served.post("/v1/chat/completions", chat({{"messages", messages}})).status == 200);
  }

  TEST_CASE("what is malformed is refused with the member's name") {
    Served served;
    const std::vector<std::pair<Json, std::string>> cases = {
        {{{"messages", Json::array()}}, "messages"},
        {{{"messages", "Hi"}}, "messages"},
        {{{"messages", {1}}}, "messages[0]"},
        {{{"messages", {{{"role", "alien"}, {"content", "x"}}}}}, "messages[0].role"},
        {{{"messages", {{{"role", "user"}}}}}, "messages[0].content"},
        {{{"messages", {{{"role", "user"}, {"content", {{{"type", "image_url"}}}}}}}},
         "messages[0].content[0].type"},
        {{{"temperature", "hot"}}, "temperature"},
        {{{"temperature", -1}}, "temperature"},
        {{{"temperature", 2.1}}, "temperature"},
        {{{"max_tokens", 0}}, "max_tokens"},
        {{{"max_tokens", 1.5}}, "max_tokens"},
        {{{"max_tokens", -1}}, "max_tokens"},
        {{{"max_tokens", 2147483648LL}}, "max_tokens"},
        {{{"max_tokens", 18446744073709551615ULL}}, "max_tokens"},
        {{{"n", 0}}, "n"},
        {{{"n", 1000000}}, "n"},
        {{{"stream", "yes"}}, "stream"},
        {{{"stop", {1}}}, "stop"},
        {{{"stop", std::vector<std::string>(1000, "x")}}, "stop"},
        {{{"seed", 1e300}}, "seed"},
        {{{"logit_bias", {{"x", 1}}}}, "logit_bias"},
        {{{"logit_bias", {{"1", 101}}}}, "logit_bias"},
        {{{"top_logprobs", 3}}, "top_logprobs"},
        {{{"response_format", {{"type", "xml"}}}}, "response_format.type"},
        {{{"response_format", {{"type", "json_schema"}}}}, "response_format.json_schema"},
        {{{"tools", {{{"type", "function"}}}}}, "tools[0].function"},
        {{{"tool_choice", "required"}}, "tool_choice"}};
    for (const auto& [more, param] : cases) {
      const Reply reply = served.post("/v1/chat/completions", chat(more));
      CHECK_MESSAGE(reply.status == 400, more.dump());
      CHECK_MESSAGE(reply.json()["error"]["param"] == param, reply.body);
      CHECK(reply.json()["error"]["type"] == "invalid_request_error");
    }
    for (const std::string& body :
         {std::string(), std::string("{"), std::string("[1]"), std::string("{\"a\":1,\"a\":2}"),
          std::string("{\"model\":\"\xff\"}"), std::string("{\"n\":1e400}"),
          std::string("{\"n\":NaN}"), std::string(100000, '[')})
      CHECK_MESSAGE(served.send("POST", "/v1/chat/completions", body).status == 400,
                    body.substr(0, 40));
    CHECK(served.script->requests.empty());
  }

  TEST_CASE("types and names and methods that are not there have their own status") {
    Served served;
    CHECK(served.send("POST", "/v1/chat/completions", "{}", "text/plain").status == 415);
    const Reply unknown = served.post("/v1/chat/completions", chat({{"model", "none"}}));
    CHECK(unknown.status == 404);
    CHECK(unknown.json()["error"]["code"] == "model_not_found");
    for (const char* path : {"/etc/passwd", "../tiny", "file:///etc/passwd"})
      CHECK(served.post("/v1/chat/completions", chat({{"model", path}})).status == 404);
    const Reply method = served.get("/v1/chat/completions");
    CHECK(method.status == 405);
    CHECK(method.response.header("Allow") == "POST");
    CHECK(served.get("/v1/nothing").status == 404);
  }

  TEST_CASE("a full queue is 429 with the time to wait and a long prompt is 400") {
    Served served;
    served.script->full = true;
    const Reply reply = served.post("/v1/chat/completions", chat());
    CHECK(reply.status == 429);
    CHECK(reply.response.header("Retry-After").has_value());
    served.script->full = false;
    std::string text;
    for (int i = 0; i < 400; ++i) text += "word " + std::to_string(i);
    const Reply large = served.post("/v1/chat/completions",
                                    chat({{"messages", {{{"role", "user"}, {"content", text}}}}}));
    CHECK(large.status == 400);
    CHECK(large.json()["error"]["code"] == "context_length_exceeded");
  }

  TEST_CASE("faults of the engine are told before and within a stream") {
    Served served;
    served.script->say = [](const auto&) {
      return std::vector<engine::BatchEvent>{
          {.finish = engine::FinishReason::kError, .error = "out of luck"}};
    };
    const Reply whole = served.post("/v1/chat/completions", chat());
    CHECK(whole.status == 500);
    CHECK(contains(whole.body, "out of luck"));
    served.script->say = [](const auto&) {
      auto events = says({"Hel"});
      events.back().finish = engine::FinishReason::kTimeout;
      return events;
    };
    const Reply stream = served.post("/v1/chat/completions", chat({{"stream", true}}));
    CHECK(stream.status == 200);
    bool done = false;
    CHECK(events_of(stream.body, done).back().contains("error"));
    CHECK_FALSE(done);
  }

  TEST_CASE("calls are read out of the text and streamed as calls") {
    Served served;
    served.script->say = [](const auto&) {
      return says({"<tool", "_call>\n{\"name\": \"weather\", \"arguments\"",
                   ": {\"city\": \"Oslo\"}}", "\n</tool_call>"});
    };
    const Json body = chat({{"tools", {kWeatherTool}}});
    const Json message = served.post("/v1/chat/completions", body).json()["choices"][0];
    CHECK(message["finish_reason"] == "tool_calls");
    CHECK(message["message"]["content"].is_null());
    const Json function = message["message"]["tool_calls"][0]["function"];
    CHECK(function["name"] == "weather");
    CHECK(Json::parse(function["arguments"].get<std::string>()) == Json{{"city", "Oslo"}});
    Json streamed = body;
    streamed["stream"] = true;
    bool done = false;
    const auto events = events_of(served.post("/v1/chat/completions", streamed).body, done);
    std::string name, arguments;
    for (const Json& event : events) {
      const Json& delta = event["choices"][0]["delta"];
      if (delta.contains("content")) CHECK(delta["content"] == "");
      if (!delta.contains("tool_calls")) continue;
      const Json& called = delta["tool_calls"][0]["function"];
      name += called.value("name", "");
      arguments += called.value("arguments", "");
    }
    CHECK(name == "weather");
    CHECK(Json::parse(arguments) == Json{{"city", "Oslo"}});
  }

  TEST_CASE("schemas and forced calls restrict the answer") {
    Served served;
    served.post("/v1/chat/completions",
                chat({{"response_format",
                       {{"type", "json_schema"},
                        {"json_schema", {{"name", "x"}, {"schema", {{"type", "object"}}}}}}}}));
    served.post("/v1/chat/completions",
                chat({{"tools", {kWeatherTool}}, {"tool_choice", "required"}}));
    served.post("/v1/chat/completions", chat({{"tools", {kWeatherTool}}, {"tool_choice", "none"}}));
    const auto& requests = served.script->requests;
    REQUIRE(requests.size() == 3);
    CHECK(requests[0].constraint);
    CHECK(requests[1].constraint);
    CHECK_FALSE(requests[2].constraint);
  }

  TEST_CASE("completions take texts and ids and give one choice to each") {
    Served served;
    const Json json =
        served
            .post("/v1/completions",
                  {{"model", "tiny"}, {"prompt", {"a", "b"}}, {"n", 2}, {"echo", true}})
            .json();
    CHECK(json["object"] == "text_completion");
    REQUIRE(json["choices"].size() == 4);
    CHECK(json["choices"][0]["text"] == "aHello there");
    CHECK(json["choices"][3]["text"] == "bHello there");
    CHECK(json["choices"][3]["index"] == 3);
    CHECK(served.script->requests[0].max_tokens == 16);
    CHECK(served.post("/v1/completions", {{"model", "tiny"}, {"prompt", {5, 6, 7}}}).status == 200);
    CHECK(served.script->requests.back().prompt == std::vector<int32_t>{5, 6, 7});
    for (const Json& prompt : {Json(), Json(5), Json{{{"a", 1}}}, Json{-1}, Json{1 << 30},
                               Json{"a", {1}, true}, Json::array()})
      CHECK_MESSAGE(
          served.post("/v1/completions", {{"model", "tiny"}, {"prompt", prompt}}).status == 400,
          prompt.dump());
  }

  TEST_CASE("echoed log-probabilities force the prompt through the engine") {
    Served served;
    served.script->say = [](const engine::BatchRequest& request) {
      auto events = says({"x"});
      events[0].tokens = {{{.id = 1, .bytes = "x", .logprob = -1.0f}, {}}};
      if (request.ignore_stop_ids)  // the forced one
        events[0].tokens = {{{.id = 6, .bytes = "é", .logprob = -2.0f}, {{6, "é", -2.0f}}},
                            {{.id = 7, .bytes = "b", .logprob = -3.0f}, {}}};
      return events;
    };
    const Json json = served
                          .post("/v1/completions", {{"model", "tiny"},
                                                    {"prompt", {5, 6, 7}},
                                                    {"max_tokens", 1},
                                                    {"logprobs", 1},
                                                    {"echo", true}})
                          .json();
    const Json& logprobs = json["choices"][0]["logprobs"];
    REQUIRE(logprobs["tokens"].size() == 4);
    CHECK(logprobs["token_logprobs"] == Json{nullptr, -2.0, -3.0, -1.0});
    CHECK(logprobs["top_logprobs"][1] == Json{{"é", -2.0}});
    CHECK(logprobs["text_offset"][3].get<int>() - logprobs["text_offset"][1].get<int>() == 2);
    const auto& forced = served.script->requests.back();
    CHECK(forced.prompt == std::vector<int32_t>{5});
    CHECK(forced.max_tokens == 2);
    REQUIRE(forced.constraint);
    std::vector<uint32_t> bits(40);
    forced.constraint->allowed(bits);
    CHECK(bits[0] == 1u << 6);
    forced.constraint->accept(6);
    CHECK_FALSE(forced.constraint->complete());
    forced.constraint->accept(7);
    CHECK(forced.constraint->complete());
  }

  TEST_CASE("models are listed and found by both names") {
    Served served;
    const Json list = served.get("/v1/models").json();
    CHECK(list["object"] == "list");
    CHECK(list["data"][0]["id"] == "tiny");
    CHECK(served.get("/v1/models/tuned").json()["object"] == "model");
    CHECK(served.get("/v1/models/TINY:latest").status == 200);
    CHECK(served.get("/v1/models/none").status == 404);
  }

  TEST_CASE("every route stands in the OpenAPI document with its summary") {
    Served served;
    const Json json = served.get("/openapi.json").json();
    for (const Route& route : all_routes()) {
      std::string path = route.path, method = route.method;
      if (const size_t dots = path.find("...}"); dots != std::string::npos) path.erase(dots, 3);
      for (char& c : method) c = static_cast<char>(c - 'A' + 'a');
      CHECK_MESSAGE(json["paths"][path][method].contains("summary"), path);
    }
    CHECK(json["components"]["schemas"].contains("ChatRequest"));
  }

  TEST_CASE("a schema begins behind the reasoning that the prompt opened") {
    const Json schema = {{"type", "json_schema"},
                         {"json_schema", {{"name", "x"}, {"schema", {{"type", "object"}}}}}};
    for (const bool thinks : {false, true}) {
      Served served;
      served.script->chat_template =
          "{{ messages[0].content }}" + std::string(thinks ? "<think>\n" : "");
      Json body = chat();
      body["response_format"] = schema;
      REQUIRE(served.post("/v1/chat/completions", body).status == 200);
      const auto& request = served.script->requests.back();
      REQUIRE(request.constraint);
      std::vector<uint32_t> bits(40);
      request.constraint->allowed(bits);
      const auto id = engine::open_language_model(tiny_model_path()).model.tokenizer->id_of("a");
      REQUIRE(id);
      CHECK(((bits[static_cast<size_t>(*id) / 32] >> (*id % 32)) & 1) == (thinks ? 1 : 0));
    }
  }

  TEST_CASE("a template takes the variables it is given") {
    Served served;
    served.script->chat_template = "{{ 'a' if enable_thinking else 'bb' }}";
    Json body = chat();
    CHECK(served.post("/v1/chat/completions", body).status == 200);
    body["chat_template_kwargs"] = {{"enable_thinking", true}};
    CHECK(served.post("/v1/chat/completions", body).status == 200);
    const auto& requests = served.script->requests;
    CHECK(requests[1].prompt.size() < requests[0].prompt.size());
    body["chat_template_kwargs"] = 5;
    CHECK(served.post("/v1/chat/completions", body).status == 400);
  }

  TEST_CASE("health and metrics tell what runs without any text") {
    Served served;
    CHECK(served.get("/health").json()["status"] == "ok");
    served.post("/v1/chat/completions", chat());
    const std::string text = served.get("/metrics").body;
    CHECK(contains(text,
                   "toolkit_request_success_total{model_name=\"tiny\","
                   "finished_reason=\"stop_token\"} 1\n"));
    CHECK(contains(text, "toolkit_time_to_first_token_seconds_count 1\n"));
    CHECK(contains(text, "# TYPE toolkit_num_requests_running gauge\n"));
    CHECK(contains(text, "# TYPE toolkit_process_allocated_memory_bytes gauge\n"));
    CHECK(contains(text, "\ntoolkit_buffer_cache_bytes "));
    CHECK_FALSE(contains(text, "Hello"));
    CHECK(served.get("/slots").json().is_array());
    served.service.ready = false;
    CHECK(served.get("/health").status == 503);
    served.script->say = [](const auto&) { return says({"x"}, engine::FinishReason::kTimeout); };
    const Reply late = served.post("/v1/chat/completions", chat());
    CHECK(late.status == 503);
    CHECK(late.response.header("Retry-After").has_value());
  }
}
