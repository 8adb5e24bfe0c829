#include "projects/serve/openai_answer.h"
#include "projects/serve/routes.h"

namespace toolkit::serve {

namespace {

void chat_completions(const Call& call) {
  const auto request = std::make_shared<TextRequest>(read_openai_chat(json_body(call)));
  with_model(call, request->model, std::nullopt, [call, request](ModelLease lease) {
    const ChatPrompt prompt = chat_prompt(lease.engine().model(), *request);
    const engine::BatchRequest one = batch_request(call.service, lease, *request, prompt);
    auto writer = std::make_shared<OpenAiChatAnswer>(call.exchange, *request, prompt.in_reasoning);
    // A grammar belongs to one text.
    std::vector<NumberedRequest> all = repeated(one, request->count);
    for (size_t i = 1; i < all.size() && one.constraint; ++i)
      all[i].request.constraint = batch_request(call.service, lease, *request, prompt).constraint;
    start_answers(call.service, call.exchange, std::move(lease), std::move(all), std::move(writer));
  });
}

}  // namespace

void add_openai_chat_routes(std::vector<Route>& routes) {
  routes.push_back({"POST", "/v1/chat/completions", chat_completions});
}

}  // namespace toolkit::serve
