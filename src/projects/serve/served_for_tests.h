#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/http/client.h"
#include "core/http/server/server.h"
#include "projects/serve/api_error.h"
#include "projects/serve/routes.h"
#include "projects/serve/service.h"

namespace toolkit::serve::testing {

/// The tiny model of the fixtures with its tokenizer and template.
inline std::string tiny_model_path() {
  return (std::filesystem::path(TOOLKIT_FIXTURES) / "models" / "llama").string();
}

/// What a ScriptedEngine says and hears.
struct Script {
  std::mutex mutex;
  std::function<std::vector<engine::BatchEvent>(const engine::BatchRequest&)> say;
  std::vector<engine::BatchRequest> requests;  // those taken
  std::vector<uint64_t> cancelled;
  bool full = false;  // the queue
  bool fast = false;  // how the engine was loaded
  engine::BatchState state;
  std::string chat_template;  // "": the model's own
  std::vector<std::string> adapters;
};

/// For tests: an engine that says what the test wants, at once and on the caller's thread. An
/// answer without an end goes on until it is cancelled.
class ScriptedEngine : public TextEngine {
 public:
  explicit ScriptedEngine(std::shared_ptr<Script> script)
      : script_(std::move(script)), model_(engine::open_language_model(tiny_model_path()).model) {
    if (!script_->chat_template.empty())
      model_.chat = text::ChatTemplate(script_->chat_template, "", "");
  }

  std::optional<uint64_t> submit(engine::BatchRequest request,
                                 engine::BatchListener listener) override {
    std::vector<engine::BatchEvent> events;
    uint64_t id = 0;
    {
      const std::lock_guard lock(script_->mutex);
      if (script_->full) return std::nullopt;
      script_->requests.push_back(request);
      id = script_->requests.size();
      events = script_->say(request);
    }
    const bool ends = !events.empty() && events.back().finish;
    for (const engine::BatchEvent& event : events) listener(event);
    const std::lock_guard lock(script_->mutex);
    if (!ends) waiting_.push_back(std::move(listener));
    return id;
  }
  void cancel(uint64_t id) override {
    std::deque<engine::BatchListener> ended;
    {
      const std::lock_guard lock(script_->mutex);
      script_->cancelled.push_back(id);
      ended.swap(waiting_);
    }
    for (const auto& listener : ended) listener({.finish = engine::FinishReason::kCancelled});
  }
  void between_steps(const std::function<void()>& work) override { work(); }
  void load_adapter(const std::string& name, const std::filesystem::path&) override {
    const std::lock_guard lock(script_->mutex);
    script_->adapters.push_back(name);
  }
  void unload_adapter(const std::string& name) override {
    const std::lock_guard lock(script_->mutex);
    std::erase(script_->adapters, name);
  }
  std::vector<std::string> adapters() const override {
    const std::lock_guard lock(script_->mutex);
    return script_->adapters;
  }
  void drain(double) override { cancel(0); }
  bool healthy() const override { return true; }
  engine::BatchState state() const override { return script_->state; }
  const engine::LanguageModel& model() const override { return model_; }
  int context_tokens() const override { return 1000; }

 private:
  std::shared_ptr<Script> script_;
  engine::LanguageModel model_;
  std::deque<engine::BatchListener> waiting_;
};

/// Events of one answer that comes in these pieces.
inline std::vector<engine::BatchEvent> says(
    const std::vector<std::string>& pieces,
    engine::FinishReason reason = engine::FinishReason::kStopToken) {
  std::vector<engine::BatchEvent> events;
  engine::BatchFigures figures{.prompt_tokens = 5, .cached_tokens = 2, .generation_seconds = 0.5};
  for (const std::string& piece : pieces) {
    ++figures.generated_tokens;
    events.push_back({.text = piece, .figures = figures});
  }
  events.push_back({.finish = reason, .figures = figures});
  return events;
}

struct Reply {
  int status;
  std::string body;
  http::Response response;
  Json json() const { return Json::parse(body); }
};

/// A whole server around a scripted engine: the models "tiny" and, as its adapter, "tuned".
class Served {
 public:
  explicit Served(Config config = {})
      : script(std::make_shared<Script>()),
        service(
            std::move(config),
            {.load = [told = script](const std::string&, bool fast) -> std::unique_ptr<TextEngine> {
               told->fast = fast;
               return std::make_unique<ScriptedEngine>(told);
             },
             .plan_bytes =
                 [this](const std::string&) { return PlannedBytes{planned_bytes, speed_bytes}; },
             .available_bytes = [this] { return available_bytes.load(); },
             .low_bytes = 100}) {
    script->say = [](const engine::BatchRequest&) { return says({"Hello", " there"}); };
    service.names.installed = [] { return std::vector<ServedModel>(); };
    service.names.add({.name = "tiny", .base = tiny_model_path()});
    service.names.add({.name = "tuned",
                       .base = tiny_model_path(),
                       .adapter = "/nowhere",
                       .origin = ServedModel::Origin::kAdapter});
    service.ready = true;
    http::server::ServerOptions options;
    options.refuse = [](const http::server::Request& head, int status, const std::string& message) {
      return error_response(head.path, ApiError(status, message));
    };
    server = std::make_unique<http::server::Server>(
        options, [this](const ExchangePtr& exchange) { answer(service, exchange); });
  }

  Reply send(const std::string& method, const std::string& path, const std::string& body = "",
             const std::string& type = "application/json") {
    http::Client client({.retry = {.attempts = 1}});
    http::Request request{
        .method = method,
        .url = http::parse_url("http://127.0.0.1:" + std::to_string(server->port()) + path),
        .body = body};
    if (!type.empty()) request.headers.push_back({"Content-Type", type});
    http::Response response = client.send(request);
    return {response.status, response.body, response};
  }
  Reply post(const std::string& path, const Json& json) { return send("POST", path, json.dump()); }
  Reply get(const std::string& path) { return send("GET", path, "", ""); }

  std::shared_ptr<Script> script;
  int64_t planned_bytes = 10, speed_bytes = 0;
  std::atomic<int64_t> available_bytes{1000};
  Service service;
  std::unique_ptr<http::server::Server> server;
};

/// The objects of a text of server-sent events, without [DONE]; `done` tells whether that came
/// last.
inline std::vector<Json> events_of(const std::string& text, bool& done) {
  std::vector<Json> events;
  done = false;
  size_t at = 0;
  while ((at = text.find("data: ", at)) != std::string::npos) {
    const size_t end = text.find("\n\n", at);
    const std::string data = text.substr(at + 6, end - at - 6);
    done = data == "[DONE]";
    if (!done) events.push_back(Json::parse(data));
    at = end;
  }
  return events;
}

inline std::vector<Json> lines_of(const std::string& text) {
  std::vector<Json> lines;
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(Json::parse(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return lines;
}

}  // namespace toolkit::serve::testing
