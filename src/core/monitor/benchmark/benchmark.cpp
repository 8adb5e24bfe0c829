#include "core/monitor/benchmark/benchmark.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/base/elapsed.h"
#include "core/base/error.h"
#include "core/http/client.h"
#include "core/monitor/benchmark/energy_meter.h"
#include "core/monitor/benchmark/prompts.h"
#include "core/monitor/benchmark/stream_reader.h"
#include "core/monitor/installed.h"
#include "core/monitor/messages.h"
#include "core/monitor/sources/ollama_answers.h"
#include "core/monitor/sources/source.h"

namespace toolkit::monitor {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kWarmUpTokens = 16;
constexpr int kFewestTokens = 8;

http::ClientSettings patient_settings() {
  return {.user_agent = "mlx-dash",
          .allow_plain_http = true,
          .connect_timeout = std::chrono::seconds(5),
          .stall_timeout = std::chrono::minutes(5),  // a large model may have to be loaded first
          .retry = {.attempts = 1}};
}

/// Ollama answers /api/version; everything else is asked in OpenAI's way.
bool is_ollama(const std::string& url) {
  Probe probe(url);
  std::string trouble;
  const auto answer = probe.json("/api/version", trouble);
  if (answer && answer->is_object() && answer->contains("version")) return true;
  if (!probe.answered())
    fail(ErrorKind::kNetwork,
         "no server answers at {}: start it (`ollama serve`, `llama-server`, `mlx-toolkit serve`), "
         "or name another with --url ({})",
         url, trouble);
  return false;
}

std::string loaded_model(const std::string& url) {
  Probe probe(url);
  std::string ignored;
  const auto answer = probe.json("/api/ps", ignored);
  const auto loaded = answer ? parse_ollama_ps(*answer) : std::nullopt;
  return loaded && !loaded->models.empty() ? loaded->models[0].name : "";
}

std::optional<double> model_gigabytes(const std::string& url, const std::string& model) {
  Probe probe(url);
  std::string ignored;
  const auto answer = probe.json("/api/ps", ignored);
  const auto loaded = answer ? parse_ollama_ps(*answer) : std::nullopt;
  if (!loaded) return std::nullopt;
  for (const LoadedModel& one : loaded->models)
    if ((one.name == model || one.name == model + ":latest") && one.size_bytes)
      return static_cast<double>(*one.size_bytes) / 1e9;
  return std::nullopt;
}

/// Asks one server one prompt after another.
class Asker {
 public:
  Asker(std::string url, std::string model, bool ollama)
      : url_(std::move(url)),
        model_(std::move(model)),
        ollama_(ollama),
        client_(patient_settings()) {}

  PromptResult ask(const Prompt& prompt, int tokens) {
    StreamReader reader(ollama_ ? StreamForm::kOllama : StreamForm::kOpenAi);
    PromptResult result{.name = prompt.name};
    double last_s = 0;
    const auto begin = Clock::now();
    const http::Response response = client_.send_lines(
        {.method = "POST",
         .url = http::parse_url(url_ + (ollama_ ? "/api/chat" : "/v1/chat/completions")),
         .headers = {{"Content-Type", "application/json"}},
         .body = body(prompt.text, tokens).dump()},
        [&](std::string_view line) {
          const int64_t before = reader.pieces();
          reader.line(line);
          if (reader.pieces() > before) last_s = seconds_since(begin);
          if (before == 0 && reader.pieces() > 0) result.first_token_s = last_s;
          return true;
        });
    result.latency_s = seconds_since(begin);
    check(response, reader);
    const AnswerCounts& counts = reader.counts();
    result.tokens = counts.tokens.value_or(reader.pieces());
    result.is_exact = counts.tokens_per_second.has_value();
    result.tokens_per_second = counts.tokens_per_second;
    if (!result.is_exact && result.tokens > 1 && last_s > result.first_token_s)
      result.tokens_per_second =
          static_cast<double>(result.tokens - 1) / (last_s - result.first_token_s);
    return result;
  }

 private:
  Json body(const std::string& prompt, int tokens) const {
    Json value = {{"model", model_},
                  {"messages", {{{"role", "user"}, {"content", prompt}}}},
                  {"stream", true}};
    if (ollama_) {
      value["options"] = {{"num_predict", tokens}, {"temperature", 0}, {"seed", 1}};
    } else {
      value["max_tokens"] = tokens;
      value["temperature"] = 0;
      value["stream_options"] = {{"include_usage", true}};
    }
    return value;
  }

  void check(const http::Response& response, const StreamReader& reader) const {
    const ServerKind kind = ollama_ ? ServerKind::kOllama : ServerKind::kUnknown;
    if (response.status == 404)
      fail(ErrorKind::kNotFound, "{} has no model '{}': {}", url_, model_,
           how_to_get_model(model_, kind));
    if (response.status != 200) {
      const Json words = Json::parse(response.body, nullptr, /*allow_exceptions=*/false);
      std::string said = text_of(words, "error");
      if (words.is_object() && words.contains("error") && words["error"].is_object())
        said = text_of(words["error"], "message");
      fail(ErrorKind::kNetwork, "{} answers with status {}: {}", url_, response.status, said);
    }
    if (!reader.error().empty())
      fail(ErrorKind::kNetwork, "{}: {}; if it is memory, a smaller model may fit", url_,
           reader.error());
    if (reader.pieces() == 0 && !reader.is_done())
      fail(ErrorKind::kNetwork, "{}: the answer ended before it began", url_);
  }

  std::string url_, model_;
  bool ollama_;
  http::Client client_;
};

/// As many tokens as fit into the time, by the speed of the warm-up.
int tokens_that_fit(const BenchmarkOptions& options, const PromptResult& warm_up) {
  const double speed = warm_up.tokens_per_second.value_or(0);
  if (speed <= 0) return options.tokens;
  const double fits = options.seconds / options.prompts * speed;
  return std::clamp(static_cast<int>(fits), std::min(kFewestTokens, options.tokens),
                    options.tokens);
}

void sum_up(BenchmarkResult& result) {
  double tokens = 0, seconds = 0;
  std::vector<double> latencies, firsts;
  for (const PromptResult& one : result.prompts) {
    latencies.push_back(1000 * one.latency_s);
    firsts.push_back(1000 * one.first_token_s);
    if (!one.tokens_per_second || *one.tokens_per_second <= 0) continue;
    tokens += static_cast<double>(one.tokens);
    seconds += static_cast<double>(one.tokens) / *one.tokens_per_second;
  }
  if (seconds > 0) result.avg_tokens_per_sec = tokens / seconds;
  result.p50_latency_ms = percentile(latencies, 0.5);
  result.p95_latency_ms = percentile(latencies, 0.95);
  result.first_token_ms = percentile(firsts, 0.5);
  if (result.energy_j && tokens > 0) result.joules_per_token = *result.energy_j / tokens;
}

std::string chosen_model(const BenchmarkOptions& options) {
  if (!options.model.empty()) return options.model;
  if (const std::string loaded = loaded_model(options.url); !loaded.empty()) return loaded;
  std::string trouble;
  const auto installed = installed_models(options.url, trouble);
  if (installed.empty())
    fail(ErrorKind::kNotFound,
         "{} has no model yet: `mlx-cache add ollama://llama3.2:1b` brings a small one",
         options.url);
  return installed[0].name;
}

Json value_or_null(const std::optional<double>& number) {
  return number ? Json(*number) : Json();
}

}  // namespace

double percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(values.size())));
  return values[std::clamp<size_t>(rank, 1, values.size()) - 1];
}

BenchmarkResult run_benchmark(const BenchmarkOptions& options, platform::Sensors* sensors,
                              const BenchmarkProgress& progress) {
  BenchmarkResult result{.server = options.url, .is_ollama = is_ollama(options.url)};
  result.model = chosen_model(options);
  Asker asker(options.url, result.model, result.is_ollama);
  const auto& prompts = standard_prompts();
  const size_t all =
      std::min<size_t>(prompts.size(), static_cast<size_t>(std::max(options.prompts, 1)));
  progress({0, all, "warm-up"});
  const auto warm = Clock::now();
  const PromptResult warm_up = asker.ask({"warm-up", "Say hello."}, kWarmUpTokens);
  result.warm_up_s = seconds_since(warm);
  result.answer_tokens = tokens_that_fit(options, warm_up);
  EnergyMeter energy(sensors);
  const auto begin = Clock::now();
  for (size_t at = 0; at < all; ++at) {
    progress({at, all, prompts[at].name, at > 0 ? &result.prompts.back() : nullptr});
    result.prompts.push_back(asker.ask(prompts[at], result.answer_tokens));
    if (const auto gigabytes = model_gigabytes(options.url, result.model))
      result.peak_memory_gb = std::max(result.peak_memory_gb.value_or(0), *gigabytes);
  }
  result.total_s = seconds_since(begin);
  result.energy_j = energy.joules();
  progress({all, all, "", &result.prompts.back()});
  sum_up(result);
  return result;
}

Json to_json(const PromptResult& prompt) {
  return {{"name", prompt.name},
          {"tokens", prompt.tokens},
          {"latency_ms", 1000 * prompt.latency_s},
          {"first_token_ms", 1000 * prompt.first_token_s},
          {"tokens_per_second", value_or_null(prompt.tokens_per_second)},
          {"quality", prompt.is_exact ? "exact" : "live"}};
}

Json to_json(const BenchmarkResult& result) {
  Json prompts = Json::array();
  for (const PromptResult& one : result.prompts) prompts.push_back(to_json(one));
  return {{"model", result.model},
          {"server", result.server},
          {"prompt_count", result.prompts.size()},
          {"answer_tokens", result.answer_tokens},
          {"avg_tokens_per_sec", value_or_null(result.avg_tokens_per_sec)},
          {"p50_latency_ms", result.p50_latency_ms},
          {"p95_latency_ms", result.p95_latency_ms},
          {"first_token_ms", result.first_token_ms},
          {"peak_memory_gb", value_or_null(result.peak_memory_gb)},
          {"energy_j", value_or_null(result.energy_j)},
          {"joules_per_token", value_or_null(result.joules_per_token)},
          {"warm_up_s", result.warm_up_s},
          {"total_s", result.total_s},
          {"prompts", prompts}};
}

BenchmarkRecord to_record(const BenchmarkResult& result, int64_t ran_at_s) {
  return {.model_name = result.model,
          .ran_at_s = ran_at_s,
          .avg_tokens_per_sec = result.avg_tokens_per_sec,
          .p50_latency_ms = result.p50_latency_ms,
          .p95_latency_ms = result.p95_latency_ms,
          .peak_memory_gb = result.peak_memory_gb,
          .prompt_count = static_cast<int64_t>(result.prompts.size()),
          .server = result.server,
          .details = to_json(result).dump()};
}

}  // namespace toolkit::monitor
