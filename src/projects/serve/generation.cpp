#include "projects/serve/generation.h"

#include <mutex>
#include <span>

#include "core/base/elapsed.h"
#include "core/base/error.h"
#include "core/base/ordered_json.h"
#include "projects/serve/api_error.h"
#include "projects/serve/service.h"

namespace toolkit::serve {

namespace {

/// A call of one of the tools in the form that the model's template asks for.
std::string call_grammar(const engine::LanguageModel& model, const TextRequest& request,
                         bool in_reasoning) {
  std::vector<text::Tool> tools = request.tools;
  if (!request.only_tool.empty())
    std::erase_if(tools, [&](const text::Tool& tool) { return tool.name != request.only_tool; });
  return text::tool_call_grammar(
      tools, {.form = text::tool_call_form(model.chat.source()), .in_reasoning = in_reasoning},
      *model.tokenizer);
}

std::string template_variables(const TextRequest& request) {
  if (!request.think) return request.template_json;
  return OrderedJson{{"enable_thinking", *request.think}}.dump();
}

std::shared_ptr<text::TokenConstraint> constraint_of(const ModelLease& lease,
                                                     const TextRequest& request,
                                                     bool in_reasoning) {
  using Format = TextRequest::Format;
  if (request.tool_choice == TextRequest::ToolChoice::kRequired)
    return lease.loaded().grammars().lark(
        call_grammar(lease.engine().model(), request, in_reasoning));
  if (request.format == Format::kJsonSchema)
    return lease.loaded().grammars().json_schema(request.schema, in_reasoning);
  if (request.format == Format::kJsonObject)
    return lease.loaded().grammars().json_object(in_reasoning);
  return nullptr;
}

/// The answers that one exchange waits for. The first to end of the client and the answers decides.
struct Running {
  TextEngine* engine;
  std::shared_ptr<AnswerWriter> writer;
  std::mutex mutex, writing;
  std::vector<uint64_t> ids;
  bool cancelled = false;

  void tell(int answer, const engine::BatchEvent& event) {
    const std::lock_guard lock(writing);
    writer->event(answer, event);
  }
  void refuse_rest(std::span<const NumberedRequest> rest, const std::string& why) {
    cancel();
    for (const NumberedRequest& one : rest)
      tell(one.answer, {.finish = engine::FinishReason::kError, .error = why});
  }

  void add(uint64_t id) {
    const std::lock_guard lock(mutex);
    ids.push_back(id);
    if (cancelled) engine->cancel(id);
  }
  void cancel() {
    const std::lock_guard lock(mutex);
    cancelled = true;
    for (const uint64_t id : ids) engine->cancel(id);
  }
};

}  // namespace

bool can_think(std::string_view chat_template) {
  return chat_template.find("<think>") != std::string_view::npos ||
         chat_template.find("enable_thinking") != std::string_view::npos;
}

ChatPrompt chat_prompt(const engine::LanguageModel& model, const TextRequest& request) {
  if (request.think.value_or(false) && !can_think(model.chat.source()))
    throw ApiError(400, "\"" + request.model + "\" does not support thinking", "think");
  try {
    const bool tools_in_text = !text::template_takes_tools(model.chat.source());
    const std::string text = model.chat.render(
        tools_in_text ? text::with_tools_in_text(request.messages, request.tools_json)
                      : request.messages,
        {.add_generation_prompt = true,
         .tools_json = tools_in_text ? "" : request.tools_json,
         .extra_json = template_variables(request)});
    const std::string_view end = std::string_view(text).substr(0, text.find_last_not_of(" \n") + 1);
    return {.ids = model.tokenizer->encode(text, /*add_special=*/false).ids,
            .in_reasoning = end.ends_with("<think>")};
  } catch (const Error& error) {
    throw ApiError(400, error.what(), "messages");
  }
}

text::ReplyOptions reply_options(const TextRequest& request, bool in_reasoning) {
  return {.tools = request.tools, .in_reasoning = in_reasoning};
}

engine::BatchRequest batch_request(const Service& service, const ModelLease& lease,
                                   const TextRequest& request, ChatPrompt prompt) {
  const int room = lease.engine().context_tokens() - static_cast<int>(prompt.ids.size());
  if (room <= 0)
    throw ApiError(
        400,
        fmt::format("the prompt has {} tokens; the context holds {} and the answer needs "
                    "room too: shorten it",
                    prompt.ids.size(), lease.engine().context_tokens()),
        "messages", "context_length_exceeded");
  engine::BatchRequest made{.prompt = std::move(prompt.ids),
                            .sampling = request.sampling,
                            .max_tokens = std::min(request.max_tokens.value_or(room), room),
                            .stop_texts = request.stop_texts,
                            .ignore_stop_ids = request.ignore_stop_ids,
                            .adapter = lease.adapter(),
                            .top_logprobs = request.top_logprobs};
  made.constraint = constraint_of(lease, request, prompt.in_reasoning);
  made.deadline = std::chrono::steady_clock::now() +
                  std::chrono::milliseconds(static_cast<int64_t>(service.config.timeout * 1000));
  return made;
}

std::vector<NumberedRequest> repeated(const engine::BatchRequest& request, int count, int first) {
  std::vector<NumberedRequest> requests;
  for (int i = 0; i < count; ++i) {
    requests.push_back({first + i, request});
    requests.back().request.sampling.seed += static_cast<uint64_t>(i);
  }
  return requests;
}

void start_answers(Service& service, const std::shared_ptr<http::server::Exchange>& exchange,
                   ModelLease lease, std::vector<NumberedRequest> requests,
                   std::shared_ptr<AnswerWriter> writer) {
  const auto held = std::make_shared<ModelLease>(std::move(lease));
  const auto running = std::make_shared<Running>();
  running->engine = &held->engine();
  running->writer = std::move(writer);
  const std::string model = held->served().name;
  for (size_t i = 0; i < requests.size(); ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const auto listener = [held, exchange, running, &service, model, begin,
                           answer = requests[i].answer,
                           first = true](const engine::BatchEvent& event) mutable {
      const double seconds = seconds_since(begin);
      if (first && event.figures.generated_tokens > 0) {
        service.metrics.first_token(seconds);
        first = false;
      }
      if (event.finish) service.metrics.answered(model, event, seconds);
      running->tell(answer, event);
    };
    const auto id = running->engine->submit(std::move(requests[i].request), listener);
    if (!id) {
      service.metrics.refused();
      if (i > 0) {
        running->refuse_rest(std::span(requests).subspan(i),
                             "too many requests are waiting: try again later");
        break;
      }
      ApiError error(429, "too many requests are waiting: try again later");
      error.retry_after_seconds = 1 + running->engine->state().waiting / 16;
      throw error;
    }
    running->add(*id);
  }
  exchange->when_gone([running, held] { running->cancel(); });
}

std::string finish_word(engine::FinishReason reason) {
  using Reason = engine::FinishReason;
  return reason == Reason::kStopToken || reason == Reason::kStopText ? "stop" : "length";
}

std::optional<ApiError> answer_fault(const engine::BatchEvent& event) {
  using Reason = engine::FinishReason;
  if (!event.finish) return std::nullopt;
  if (*event.finish == Reason::kError) return ApiError(500, event.error);
  if (*event.finish == Reason::kTimeout)
    return ApiError(503, "the answer took longer than this server allows");
  if (*event.finish == Reason::kCancelled) return ApiError(503, "the answer was cancelled");
  return std::nullopt;
}

}  // namespace toolkit::serve
