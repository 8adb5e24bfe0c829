#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "core/base/atomic_file.h"
#include "core/base/interrupt.h"
#include "core/base/paths.h"
#include "core/model_store/utc_time.h"
#include "core/monitor/benchmark/benchmark.h"
#include "core/monitor/preferences.h"
#include "core/report/table.h"
#include "projects/dash/command.h"

namespace toolkit::dash {

namespace {

struct Settings {
  std::string model, url, output;
  int prompts = 0, tokens = 64;
};

std::string shown(const std::optional<double>& value, const char* unit) {
  return value ? fmt::format("{:.2f} {}", *value, unit) : "unknown";
}

std::string page(const monitor::BenchmarkResult& result) {
  report::Table table{.header = {"Prompt", "Tokens", "tok/s", "First ms", "Latency ms"}};
  for (const auto& one : result.prompts)
    table.rows.push_back(
        {one.name, std::to_string(one.tokens),
         one.tokens_per_second ? fmt::format("{:.1f}", *one.tokens_per_second) : "-",
         fmt::format("{:.0f}", 1000 * one.first_token_s),
         fmt::format("{:.0f}", 1000 * one.latency_s)});
  std::string text =
      fmt::format("{} at {}\n\n{}", result.model, result.server, report::to_text(table));
  text += fmt::format("\n  average       {}\n", shown(result.avg_tokens_per_sec, "tok/s"));
  text += fmt::format("  latency       p50 {:.0f} ms, p95 {:.0f} ms\n", result.p50_latency_ms,
                      result.p95_latency_ms);
  text += fmt::format("  first token   {:.0f} ms (median)\n", result.first_token_ms);
  text += fmt::format("  memory        {}\n", shown(result.peak_memory_gb, "GB"));
  text += fmt::format("  energy        {}\n", result.joules_per_token
                                                  ? shown(result.joules_per_token, "J per token")
                                                  : "unknown");
  text +=
      fmt::format("  time          {:.1f} s, warm-up {:.1f} s\n", result.total_s, result.warm_up_s);
  return text;
}

nlohmann::json run(const Settings& settings, const cli::Context& context) {
  const monitor::Preferences preferences = monitor::load_preferences();
  const InterruptGuard guard;
  const auto sensors = platform::open_sensors();
  const monitor::BenchmarkOptions options{
      .url = settings.url.empty() ? preferences.ollama_url() : settings.url,
      .model = settings.model,
      .prompts = settings.prompts > 0 ? settings.prompts : preferences.benchmark_prompts,
      .tokens = settings.tokens};
  const auto tell = [&](const monitor::BenchmarkStep& step) {
    if (!context.quiet && !step.next.empty())
      fmt::print(stderr, "{:>3} of {}  {}\n", step.done, step.all, step.next);
  };
  const monitor::BenchmarkResult result = monitor::run_benchmark(options, sensors.get(), tell);
  monitor::History::open(monitor::History::default_file())
      .add_benchmark(monitor::to_record(result, model_store::now_s()));
  const nlohmann::json json = monitor::to_json(result);
  if (!settings.output.empty())
    write_file_atomically(expanded_path(settings.output), json.dump(1) + "\n");
  if (!context.quiet) fmt::print("{}", page(result));
  return json;
}

}  // namespace

cli::Command benchmark_command() {
  const auto settings = std::make_shared<Settings>();
  return {.name = "benchmark",
          .summary = "measure a model with the ten standard prompts",
          .description =
              "The result goes into the history; `mlx-dash history` compares models and "
              "days.",
          .examples = {"mlx-dash benchmark --model llama3.2:1b",
                       "mlx-dash benchmark --url http://127.0.0.1:8080 --json"},
          .fields = {{.name = "model",
                      .target = &settings->model,
                      .help = "which model (none: the loaded one)",
                      .short_name = "m"},
                     {.name = "url",
                      .target = &settings->url,
                      .help = "server with Ollama's or OpenAI's API (none: Ollama)"},
                     {.name = "prompts",
                      .target = &settings->prompts,
                      .help = "how many prompts (0: as the preferences say)",
                      .minimum = 0,
                      .maximum = 10},
                     {.name = "tokens",
                      .target = &settings->tokens,
                      .help = "tokens of an answer, at most; fewer on a slow machine",
                      .minimum = 8,
                      .maximum = 4096},
                     {.name = "output",
                      .target = &settings->output,
                      .help = "also write the result there as JSON",
                      .short_name = "o"}},
          .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::dash
