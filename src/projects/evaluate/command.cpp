#include "projects/evaluate/command.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "core/report/run_log.h"
#include "projects/evaluate/page.h"

namespace toolkit::evaluate {

namespace {

nlohmann::json run_command(Config& config, const cli::Context& context) {
  check(config);
  const auto log = report::open_run({.kind = "evaluate"}).log;
  try {
    log->parameters(nlohmann::json::parse(fields_to_json(describe(config))));
    const Result result = run(config, context.quiet);
    if (!context.json && !context.quiet) fmt::print("{}", to_page(config, result));
    nlohmann::json json = to_json(config, result);
    log->finish("succeeded", json);
    return json;
  } catch (const std::exception& error) {
    log->finish("failed", {{"error", error.what()}});
    throw;
  }
}

}  // namespace

cli::Command evaluate_command() {
  const auto config = std::make_shared<Config>();
  return {.name = "evaluate",
          .summary = "loss, perplexity and questions, base against tuned",
          .description =
              "Judges by the assistant's words only, each once. The interval says what "
              "another set of such rows would give in 95 of 100 cases. Questions are scored as "
              "lm-evaluation-harness does (acc, acc_norm, exact_match), with their standard "
              "error. The difference of base and tuned is taken row by row.",
          .examples = {"mlx-toolkit evaluate -m sample://smollm2-135m -d examples/data/dictionary",
                       "mlx-toolkit evaluate -m sample://smollm2-135m -d examples/data/dictionary "
                       "--adapter my-adapter --samples 3",
                       "mlx-toolkit evaluate -m sample://smollm2-135m --task "
                       "examples/data/dictionary/choices.jsonl -a my-adapter",
                       "mlx-toolkit evaluate -m sample://smollm2-135m --task "
                       "examples/data/dictionary_preferences/test.jsonl -a my-dpo-adapter",
                       "mlx-toolkit evaluate -m ./model -t hellaswag.jsonl --task-format plain "
                       "--task-columns question=ctx,choices=endings,answer=label",
                       "mlx-toolkit evaluate -m ./model -d rows.jsonl --limit 100 --json"},
          .fields = describe(*config),
          .run = [config](const cli::Context& context) { return run_command(*config, context); }};
}

}  // namespace toolkit::evaluate
