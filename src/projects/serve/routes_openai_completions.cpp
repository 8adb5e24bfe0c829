#include <fmt/format.h>

#include "projects/serve/api_error.h"
#include "projects/serve/completion_answer.h"
#include "projects/serve/forced_text.h"
#include "projects/serve/routes.h"

namespace toolkit::serve {

namespace {

constexpr size_t kMostPrompts = 256;
constexpr int kMostAnswers = 512;

bool is_list_of_ids(const OrderedJson& value) {
  return value.is_array() && !value.empty() && value[0].is_number_integer();
}

/// "prompt": a text, texts, ids, or lists of ids.
std::vector<OrderedJson> read_prompts(const Members& body) {
  const OrderedJson* given = body.any("prompt");
  if (!given) body.refuse("prompt", "a text, token ids, or a list of these");
  if (given->is_string() || is_list_of_ids(*given)) return {*given};
  if (!given->is_array() || given->empty() || given->size() > kMostPrompts)
    body.refuse("prompt",
                fmt::format("a text, token ids, or a list of at most {} of these", kMostPrompts));
  for (const OrderedJson& one : *given)
    if (!one.is_string() && !is_list_of_ids(one))
      body.refuse("prompt", "only texts or only lists of token ids");
  return {given->begin(), given->end()};
}

CompletionPrompt encoded(const engine::LanguageModel& model, const OrderedJson& prompt) {
  if (prompt.is_string()) {
    const auto text = prompt.get<std::string>();
    CompletionPrompt made{model.tokenizer->encode(text, /*add_special=*/true).ids, text};
    // A model needs something to continue.
    if (made.ids.empty() && model.eos_id >= 0) made.ids = {model.eos_id};
    return made;
  }
  CompletionPrompt made;
  for (const OrderedJson& id : prompt) {
    if (!id.is_number_integer() || id.get<int64_t>() < 0 ||
        id.get<int64_t>() >= model.tokenizer->vocabulary_size())
      throw ApiError(400, "'prompt': expected token ids of this model, found " + shown_json(id),
                     "prompt");
    made.ids.push_back(id.get<int32_t>());
  }
  made.text = model.tokenizer->decode(made.ids, /*skip_special=*/false);
  return made;
}

/// Asks for the log-probabilities of a prompt's own tokens, from the second on.
engine::BatchRequest forced_request(const engine::BatchRequest& like,
                                    const std::vector<int32_t>& ids) {
  engine::BatchRequest forced = like;
  forced.prompt = {ids.front()};
  forced.constraint =
      std::make_shared<ForcedText>(std::vector<int32_t>(ids.begin() + 1, ids.end()));
  forced.max_tokens = static_cast<int>(ids.size()) - 1;
  forced.sampling = {};
  forced.stop_texts.clear();
  forced.ignore_stop_ids = true;
  return forced;
}

void start(const Call& call, CompletionRequest request, const std::vector<OrderedJson>& prompts,
           ModelLease lease) {
  const engine::LanguageModel& model = lease.engine().model();
  for (const OrderedJson& prompt : prompts) request.prompts.push_back(encoded(model, prompt));
  const bool generates = request.text.max_tokens != 0;
  if (!generates && !request.echo)
    throw ApiError(400, "'max_tokens': 0 makes sense with \"echo\": true only", "max_tokens");
  std::vector<NumberedRequest> all;
  std::vector<size_t> forced;
  for (size_t p = 0; p < request.prompts.size(); ++p) {
    const std::vector<int32_t>& ids = request.prompts[p].ids;
    TextRequest one_token = request.text;
    if (!generates) one_token.max_tokens = 1;
    const engine::BatchRequest one = batch_request(call.service, lease, one_token, {.ids = ids});
    const int count = request.text.count;
    if (generates)
      for (NumberedRequest& each : repeated(one, count, static_cast<int>(p) * count))
        all.push_back(std::move(each));
    if (request.echo && one.top_logprobs >= 0 && ids.size() > 1) {
      const size_t choices = request.prompts.size() * static_cast<size_t>(count);
      all.push_back({static_cast<int>(choices + forced.size()), forced_request(one, ids)});
      forced.push_back(p);
    }
  }
  const auto writer = std::make_shared<CompletionAnswer>(call.exchange, request, forced, generates,
                                                         model.tokenizer);
  if (all.empty()) return writer->finish_all();
  start_answers(call.service, call.exchange, std::move(lease), std::move(all), writer);
}

void completions(const Call& call) {
  const OrderedJson json = json_body(call);
  const Members body(json);
  auto request = std::make_shared<CompletionRequest>();
  read_openai_sampling(body, request->text);
  if (!request->text.max_tokens) request->text.max_tokens = 16;
  request->echo = body.boolean("echo").value_or(false);
  request->text.top_logprobs = static_cast<int>(body.integer("logprobs", 0, 20).value_or(-1));
  if (!body.text("suffix").value_or("").empty()) body.refuse("suffix", "nothing: no infilling");
  auto prompts = std::make_shared<std::vector<OrderedJson>>(read_prompts(body));
  if (static_cast<int>(prompts->size()) * request->text.count > kMostAnswers)
    body.refuse("n", fmt::format("at most {} answers to all prompts together", kMostAnswers));
  if (request->echo && request->text.stream && request->text.top_logprobs >= 0)
    body.refuse("stream", "no stream for echoed log-probabilities");
  with_model(call, request->text.model, std::nullopt, [=](ModelLease lease) {
    start(call, std::move(*request), *prompts, std::move(lease));
  });
}

}  // namespace

void add_openai_completions_routes(std::vector<Route>& routes) {
  routes.push_back({"POST", "/v1/completions", completions});
}

}  // namespace toolkit::serve
