#include "core/base/elapsed.h"
#include "projects/serve/api_error.h"
#include "projects/serve/ollama_answer.h"
#include "projects/serve/routes.h"

namespace toolkit::serve {

namespace {

using Clock = std::chrono::steady_clock;

/// An empty request loads a model, or with keep_alive 0 lets go of it.
void load_or_unload(const Call& call, const TextRequest& request, std::optional<double> keep_alive,
                    bool chat) {
  const auto done = [call, model = request.model, chat](const char* reason) {
    Json line = {
        {"model", model}, {"created_at", rfc3339_now()}, {"done", true}, {"done_reason", reason}};
    if (chat)
      line["message"] = {{"role", "assistant"}, {"content", ""}};
    else
      line["response"] = "";
    respond_json(call, line);
  };
  if (keep_alive == 0.0) {
    const ServedModel model = call.service.names.find(request.model);
    call.service.pool.unload(model);
    if (model.adapter.empty()) call.service.embedders->unload(model.base);
    return done("unload");
  }
  with_model(call, request.model, keep_alive, [done](const ModelLease&) { done("load"); });
}

void answer_text(const Call& call, TextRequest request, std::optional<double> keep_alive,
                 std::optional<std::string> raw, bool chat) {
  const auto shared = std::make_shared<TextRequest>(std::move(request));
  with_model(call, shared->model, keep_alive,
             [call, shared, raw, chat, begin = Clock::now()](ModelLease lease) {
               const engine::LanguageModel& model = lease.engine().model();
               const ChatPrompt prompt =
                   raw ? ChatPrompt{model.tokenizer->encode(*raw, /*add_special=*/true).ids}
                       : chat_prompt(model, *shared);
               auto writer = std::make_shared<OllamaAnswer>(
                   call.exchange, *shared, chat, prompt.in_reasoning, seconds_since(begin));
               std::vector<NumberedRequest> one = {
                   {0, batch_request(call.service, lease, *shared, prompt)}};
               start_answers(call.service, call.exchange, std::move(lease), std::move(one),
                             std::move(writer));
             });
}

void chat(const Call& call) {
  const OrderedJson body = json_body(call);
  TextRequest request = read_ollama_chat(body);
  const auto keep_alive = read_keep_alive(Members(body));
  if (request.messages.empty()) return load_or_unload(call, request, keep_alive, true);
  answer_text(call, std::move(request), keep_alive, std::nullopt, true);
}

void generate(const Call& call) {
  const OrderedJson json = json_body(call);
  const Members body(json);
  TextRequest request;
  read_ollama_common(body, request);
  const auto keep_alive = read_keep_alive(body);
  const std::string prompt = body.text("prompt").value_or("");
  const std::string system = body.text("system").value_or("");
  const bool raw = body.boolean("raw").value_or(false);
  if (!body.text("suffix").value_or("").empty())
    throw ApiError(400, "\"" + request.model + "\" does not support insert", "suffix");
  if (!body.text("template").value_or("").empty())
    throw ApiError(400,
                   "'template': the model's own chat template is used; \"raw\": true uses none",
                   "template");
  if (const OrderedJson* images = body.list("images", 64); images && !images->empty())
    throw ApiError(400, "this model reads text only, no images", "images");
  if (prompt.empty()) return load_or_unload(call, request, keep_alive, false);
  if (!system.empty()) request.messages.push_back({.role = "system", .content = system});
  request.messages.push_back({.role = "user", .content = prompt});
  answer_text(call, std::move(request), keep_alive, raw ? std::optional(prompt) : std::nullopt,
              false);
}

}  // namespace

void add_ollama_text_routes(std::vector<Route>& routes) {
  routes.push_back({"POST", "/api/chat", chat});
  routes.push_back({"POST", "/api/generate", generate});
}

}  // namespace toolkit::serve
