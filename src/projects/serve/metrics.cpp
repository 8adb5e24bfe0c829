#include "projects/serve/metrics.h"

#include <fmt/format.h>

#include "core/platform/hardware.h"
#include "core/tensor/backend.h"

namespace toolkit::serve {

namespace {

// OpenTelemetry's buckets for generative models.
constexpr std::array kShortSeconds{.001, .005, .01, .02, .04, .06, .08, .1,
                                   .25,  .5,   .75, 1.,  2.5, 5.,  7.5, 10.};
constexpr std::array kLongSeconds{.01,  .02,  .04,  .08,   .16,   .32,   .64,
                                  1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92};
constexpr std::array kTokens{1., 4., 16., 64., 256., 1024., 4096., 16384., 65536.};

/// A label's value: what the format gives a meaning is escaped.
std::string label(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\' || c == '"') escaped += '\\';
    if (c == '\n')
      escaped += "\\n";
    else
      escaped += c;
  }
  return escaped;
}

class Page {
 public:
  void head(const std::string& name, const char* type, const std::string& help) {
    text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  }
  template <class Value>
  void line(const std::string& name, const std::string& labels, Value value) {
    text_ += labels.empty() ? fmt::format("{} {}\n", name, value)
                            : fmt::format("{}{{{}}} {}\n", name, labels, value);
  }
  template <class Value>
  void one(const std::string& name, const char* type, const std::string& help, Value value) {
    head(name, type, help);
    line(name, "", value);
  }
  void append(const std::string& text) { text_ += text; }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

/// A number of every loaded model.
template <class Get>
void of_models(Page& page, const std::vector<LoadedInfo>& loaded, const std::string& name,
               const char* type, const std::string& help, const Get& get) {
  page.head(name, type, help);
  for (const LoadedInfo& model : loaded)
    page.line(name, fmt::format("model_name=\"{}\"", label(model.base)), get(model));
}

void engine_lines(Page& page, const std::vector<LoadedInfo>& loaded) {
  const auto gauge = [&](const char* name, const char* help, const auto& get) {
    of_models(page, loaded, name, "gauge", help, get);
  };
  const auto counter = [&](const char* name, const char* help, const auto& get) {
    of_models(page, loaded, name, "counter", help, get);
  };
  using Info = const LoadedInfo&;
  gauge("toolkit_num_requests_running", "Answers being generated or prompts being read.",
        [](Info one) { return one.state.running; });
  gauge("toolkit_num_requests_waiting", "Requests in the queue.",
        [](Info one) { return one.state.waiting; });
  gauge("toolkit_kv_cache_usage_perc", "Share of the key and value cache in use, 0 to 1.",
        [](Info one) {
          return one.state.cache_bytes_limit > 0
                     ? static_cast<double>(one.state.cache_bytes_used) /
                           static_cast<double>(one.state.cache_bytes_limit)
                     : 0.0;
        });
  gauge("toolkit_generation_tokens_per_second", "Tokens generated now, all requests together.",
        [](Info one) { return one.state.tokens_per_second; });
  gauge("toolkit_model_memory_bytes", "Weights, adapters and the limit of the cache.",
        [](Info one) { return one.size_bytes; });
  gauge("toolkit_lora_adapters", "Adapters beside the model.",
        [](Info one) { return one.adapters.size(); });
  counter("toolkit_prompt_tokens_total", "Prompt tokens, those found in the prefix cache too.",
          [](Info one) { return one.state.prompt_tokens; });
  counter("toolkit_prefix_cache_hits_total", "Prompt tokens found in the prefix cache.",
          [](Info one) { return one.state.cached_prompt_tokens; });
  counter("toolkit_generation_tokens_total", "Tokens generated.",
          [](Info one) { return one.state.generated_tokens; });
  counter("toolkit_iterations_total", "Steps of the engine.",
          [](Info one) { return one.state.steps; });
  counter("toolkit_spec_decode_num_draft_tokens_total", "Tokens guessed ahead.",
          [](Info one) { return one.state.draft_tokens; });
  counter("toolkit_spec_decode_num_accepted_tokens_total", "Guessed tokens that were right.",
          [](Info one) { return one.state.accepted_draft_tokens; });
  page.head("toolkit_request_tokens_per_second", "gauge",
            "Tokens per second of one running request, by its number in the engine.");
  for (Info one : loaded)
    for (const engine::SequenceState& sequence : one.state.sequences)
      if (sequence.generating)
        page.line(
            "toolkit_request_tokens_per_second",
            fmt::format("model_name=\"{}\",request=\"{}\"",
                        label(sequence.adapter.empty() ? one.base : sequence.adapter), sequence.id),
            sequence.tokens_per_second);
}

}  // namespace

void Histogram::add(double value) {
  size_t bucket = 0;
  while (bucket < limits_.size() && value > limits_[bucket]) ++bucket;
  ++counts_[bucket];
  sum_ += value;
}

std::string Histogram::text(const std::string& name, const std::string& help) const {
  Page page;
  page.head(name, "histogram", help);
  uint64_t count = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    count += counts_[i];
    page.line(name + "_bucket",
              fmt::format("le=\"{}\"", i < limits_.size() ? fmt::format("{}", limits_[i]) : "+Inf"),
              count);
  }
  page.line(name + "_sum", "", sum_);
  page.line(name + "_count", "", count);
  return page.take();
}

Metrics::Metrics()
    : first_token_(kShortSeconds),
      token_time_(kShortSeconds),
      request_time_(kLongSeconds),
      queue_time_(kLongSeconds),
      prompt_time_(kLongSeconds),
      generation_time_(kLongSeconds),
      prompt_tokens_(kTokens),
      generated_tokens_(kTokens) {}

void Metrics::first_token(double seconds) {
  const std::lock_guard lock(mutex_);
  first_token_.add(seconds);
}

void Metrics::answered(const std::string& model, const engine::BatchEvent& last, double seconds) {
  const std::lock_guard lock(mutex_);
  const engine::BatchFigures& figures = last.figures;
  ++finished_[{model, engine::finish_reason_name(*last.finish)}];
  request_time_.add(seconds);
  queue_time_.add(figures.queue_seconds);
  prompt_time_.add(figures.prompt_seconds);
  generation_time_.add(figures.generation_seconds);
  prompt_tokens_.add(figures.prompt_tokens);
  generated_tokens_.add(figures.generated_tokens);
  if (figures.generated_tokens > 1)
    token_time_.add(figures.generation_seconds / (figures.generated_tokens - 1));
}

void Metrics::refused() {
  const std::lock_guard lock(mutex_);
  ++refused_;
}

void Metrics::requested(const std::string& route) {
  const std::lock_guard lock(mutex_);
  ++requests_[route];
}

std::string Metrics::text(const std::vector<LoadedInfo>& loaded,
                          const std::map<std::string, int>& jobs_by_state, size_t connections,
                          const std::string& version) const {
  Page page;
  page.head("toolkit_build_info", "gauge", "Version of the program.");
  page.line("toolkit_build_info", fmt::format("version=\"{}\"", label(version)), 1);
  engine_lines(page, loaded);
  page.head("toolkit_jobs", "gauge", "Fine-tuning jobs by state.");
  for (const auto& [state, count] : jobs_by_state)
    page.line("toolkit_jobs", fmt::format("state=\"{}\"", state), count);
  page.one("toolkit_http_connections", "gauge", "Clients connected.", connections);
  page.one("toolkit_process_resident_memory_bytes", "gauge", "Resident memory of this process.",
           platform::resident_bytes());
  page.one("toolkit_process_allocated_memory_bytes", "gauge",
           "Memory allocated and not freed, in the cache of buffers too.",
           platform::allocated_bytes());
  page.one("toolkit_buffer_cache_bytes", "gauge", "Freed buffers that MLX keeps for the next step.",
           tensor::cached_bytes());
  const std::lock_guard lock(mutex_);
  page.head("toolkit_request_success_total", "counter", "Answers ended, by reason.");
  for (const auto& [key, count] : finished_)
    page.line("toolkit_request_success_total",
              fmt::format("model_name=\"{}\",finished_reason=\"{}\"", label(key.first), key.second),
              count);
  page.head("toolkit_http_requests_total", "counter", "HTTP requests by route.");
  for (const auto& [route, count] : requests_)
    page.line("toolkit_http_requests_total", fmt::format("route=\"{}\"", label(route)), count);
  page.one("toolkit_requests_refused_total", "counter", "Requests refused: the queue was full.",
           refused_);
  page.append(first_token_.text("toolkit_time_to_first_token_seconds",
                                "From the request to its first token."));
  page.append(token_time_.text("toolkit_inter_token_latency_seconds",
                               "Mean time between the tokens of an answer."));
  page.append(request_time_.text("toolkit_e2e_request_latency_seconds", "Whole answers."));
  page.append(queue_time_.text("toolkit_request_queue_time_seconds", "Waiting for the engine."));
  page.append(prompt_time_.text("toolkit_request_prefill_time_seconds", "Reading the prompt."));
  page.append(generation_time_.text("toolkit_request_decode_time_seconds", "Generating."));
  page.append(prompt_tokens_.text("toolkit_request_prompt_tokens", "Prompt tokens of a request."));
  page.append(generated_tokens_.text("toolkit_request_generation_tokens",
                                     "Generated tokens of a request."));
  return page.take();
}

}  // namespace toolkit::serve
