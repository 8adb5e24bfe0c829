#include <doctest/doctest.h>

#include <thread>

#include "core/base/testing.h"
#include "projects/serve/ollama_answer.h"
#include "projects/serve/served_for_tests.h"

using namespace toolkit;
using namespace toolkit::serve;
using namespace toolkit::serve::testing;
using toolkit::testing::contains;

TEST_SUITE("unit") {
  TEST_CASE("chat and generate stream lines unless told otherwise") {
    Served served;
    const Reply reply = served.post(
        "/api/chat", {{"model", "tiny"}, {"messages", {{{"role", "user"}, {"content", "Hi"}}}}});
    CHECK(reply.response.header("Content-Type") == "application/x-ndjson");
    const auto lines = lines_of(reply.body);
    REQUIRE(lines.size() == 3);
    CHECK(lines[0]["message"] == Json{{"role", "assistant"}, {"content", "Hello"}});
    CHECK(lines[2]["done"] == true);
    CHECK(lines[2]["done_reason"] == "stop");
    CHECK(lines[2]["eval_count"] == 2);
    CHECK(lines[2]["eval_duration"] == 500'000'000);
    const Json whole =
        served
            .post("/api/generate", {{"model", "tiny:latest"}, {"prompt", "Hi"}, {"stream", false}})
            .json();
    CHECK(whole["response"] == "Hello there");
    CHECK(whole["model"] == "tiny:latest");
  }

  TEST_CASE("options have Ollama's defaults and reach the engine") {
    Served served;
    served.post("/api/generate", {{"model", "tiny"}, {"prompt", "Hi"}});
    served.post(
        "/api/generate",
        {{"model", "tiny"},
         {"prompt", "Hi"},
         {"raw", true},
         {"format", "json"},
         {"options",
          {{"temperature", 0}, {"num_predict", 3}, {"stop", "x"}, {"seed", 1}, {"mirostat", 2}}}});
    const auto& requests = served.script->requests;
    CHECK(requests[0].sampling.temperature == 0.8);
    CHECK(requests[0].sampling.top_k == 40);
    CHECK(requests[0].sampling.mirostat_tau == 0);
    CHECK(requests[1].sampling.mirostat_tau == 5);
    CHECK(requests[1].max_tokens == 3);
    CHECK(requests[1].constraint);
    CHECK(requests[1].prompt.size() < requests[0].prompt.size());
  }

  TEST_CASE("an empty request loads a model and keep_alive 0 unloads it") {
    Served served;
    CHECK(served.post("/api/generate", {{"model", "tiny"}}).json()["done_reason"] == "load");
    CHECK(served.get("/api/ps").json()["models"][0]["name"] == "tiny:latest");
    CHECK(
        served
            .post("/api/chat", {{"model", "tiny"}, {"messages", Json::array()}, {"keep_alive", 0}})
            .json()["done_reason"] == "unload");
    for (int i = 0; i < 500 && !served.get("/api/ps").json()["models"].empty(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    CHECK(served.get("/api/ps").json()["models"].empty());
    CHECK(served.script->requests.empty());
  }

  TEST_CASE("models are described") {
    Served served;
    const Json tags = served.get("/api/tags").json()["models"];
    CHECK(tags[0]["name"] == "tiny:latest");
    CHECK(tags[0]["digest"].get<std::string>().size() == 64);
    CHECK(tags[0]["digest"] != tags[1]["digest"]);
    const Json show = served.post("/api/show", {{"model", "tuned"}}).json();
    CHECK(show["details"]["family"] == "llama");
    CHECK(contains(show["modelfile"], "ADAPTER"));
    CHECK(show["capabilities"][0] == "completion");
    // Ollama's own program sends both.
    CHECK(served.post("/api/show", {{"model", ""}, {"name", "tiny"}}).status == 200);
    CHECK(served.get("/").body == "Ollama is running");
    CHECK(served.get("/api/version").json().contains("version"));
  }

  TEST_CASE("errors have Ollama's form") {
    Served served;
    const Reply unknown = served.post("/api/show", {{"model", "none"}});
    CHECK(unknown.status == 404);
    CHECK(contains(unknown.json()["error"], "not found"));
    for (const Json& more :
         {Json{{"options", {{"temperature", "hot"}}}}, Json{{"options", {{"num_predict", 1e300}}}},
          Json{{"options", {{"mirostat", 1}}}}, Json{{"format", "xml"}},
          Json{{"keep_alive", "soon"}}, Json{{"think", true}}, Json{{"images", {"x"}}},
          Json{{"suffix", "x"}}, Json{{"template", "x"}}}) {
      Json body = {{"model", "tiny"}, {"prompt", "Hi"}};
      body.update(more);
      const Reply reply = served.post("/api/generate", body);
      CHECK_MESSAGE(reply.status == 400, more.dump());
      CHECK(reply.json()["error"].is_string());
    }
    // curl's own type is what Ollama's documentation sends.
    CHECK(
        served
            .send("POST", "/api/show", "{\"model\":\"tiny\"}", "application/x-www-form-urlencoded")
            .status == 200);
  }

  TEST_CASE("think reaches a template that knows it and is refused by others") {
    Served served;
    served.script->chat_template =
        "{{ 'a' if enable_thinking is defined and not enable_thinking else 'bb' }}<think>";
    for (const Json& think : {Json(), Json(false), Json(true), Json("high")})
      CHECK(served.post("/api/generate", {{"model", "tiny"}, {"prompt", "x"}, {"think", think}})
                .status == 200);
    const auto& requests = served.script->requests;
    CHECK(requests[1].prompt.size() < requests[0].prompt.size());
    CHECK(requests[2].prompt == requests[0].prompt);
    CHECK(requests[3].prompt == requests[0].prompt);
    served.script->say = [](const auto&) { return says({"I see.</think>", "\n\nYes"}); };
    const Json whole =
        served.post("/api/generate", {{"model", "tiny"}, {"prompt", "x"}, {"stream", false}})
            .json();
    CHECK(whole["thinking"] == "I see.");
    CHECK(whole["response"] == "Yes");
  }

  TEST_CASE("calls carry their arguments as an object") {
    Served served;
    served.script->say = [](const auto&) {
      return says({"{\"name\": \"clock\", \"parameters\": {\"zone\": 2}}"});
    };
    const auto lines =
        lines_of(served
                     .post("/api/chat",
                           {{"model", "tiny"},
                            {"messages", {{{"role", "user"}, {"content", "Time?"}}}},
                            {"tools", {{{"type", "function"}, {"function", {{"name", "clock"}}}}}}})
                     .body);
    REQUIRE_MESSAGE(lines[0].contains("message"), lines[0].dump());
    CHECK(lines[0]["message"]["tool_calls"][0]["function"] ==
          Json{{"name", "clock"}, {"arguments", {{"zone", 2}}}});
  }

  TEST_CASE("durations and times are written as Ollama does") {
    CHECK(duration_seconds("5m", "x") == 300);
    CHECK(duration_seconds("1h30m", "x") == 5400);
    CHECK(duration_seconds("90", "x") == 90);
    CHECK(duration_seconds("-1", "x") == -1);
    for (const char* wrong : {"", "-", "m", "5x", " 5", "nan"})
      CHECK_MESSAGE(toolkit::testing::refusal_of([&] { duration_seconds(wrong, "x"); }) != "",
                    wrong);
    CHECK(rfc3339_now().size() == 30);
    CHECK(ollama_name_of("sample://smollm2-135m") == "smollm2:135m");
    CHECK(ollama_name_of("ollama://llama3.2:1b") == "llama3.2:1b");
    CHECK(ollama_name_of("hf://org/Model") == "hf.co/org/Model:latest");
    CHECK(ollama_name_of("/models/My Model.gguf") == "my-model:latest");
    CHECK(ollama_name_of("ft:tiny:mine:abc") == "ft-tiny-mine-abc:latest");
  }
}
