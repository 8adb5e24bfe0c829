#include "projects/compare/command.h"

#include <fmt/format.h>

#include <memory>

#include "core/base/atomic_file.h"
#include "core/platform/process.h"
#include "projects/compare/comparison.h"
#include "projects/compare/page.h"

namespace toolkit::compare {

namespace {

Json run_command(Config& config, const cli::Context& context) {
  Comparison comparison = prepare(config, platform::own_program());
  const report::OpenRun open =
      report::open_run({.kind = "compare", .folder = config.output, .resume = config.resume});
  try {
    const Json settings = Json::parse(fields_to_json(describe(config)));
    open.log->parameters(settings);
    // JSON is YAML: `--config <output>/settings.json --resume` goes on.
    write_file_atomically(comparison.file("settings.json"), settings.dump(2) + "\n");
    run(comparison, open, context.quiet);
    const Json result = to_json(comparison);
    open.log->finish(comparison.status, result);
    if (!context.json && !context.quiet) fmt::print("{}", to_page(comparison));
    return result;
  } catch (const std::exception& error) {
    open.log->finish("failed", {{"error", error.what()}});
    throw;
  }
}

}  // namespace

cli::Command compare_command() {
  const auto config = std::make_shared<Config>();
  return {
      .name = "compare",
      .summary = "LoRA, QLoRA, DoRA and full side by side, with advice",
      .description =
          "Trains with each method on the same rows in the same order, each in a process of its "
          "own, measures time, peak memory, what is written and the validation loss with its "
          "interval, and recommends one that keeps the constraints, with reasons. Writes "
          "report.html, results.json and results.csv. Ctrl-C stops; --resume goes on, also after "
          "a kill.",
      .examples =
          {"mlx-toolkit compare -m sample://smollm2-135m -d examples/data/dictionary --steps 60 "
           "--constraint memory=4GB,time=10min -o my-comparison",
           "mlx-toolkit compare -m ./Qwen3-0.6B -d my-rows --methods lora,dora --task "
           "questions.jsonl --goal task",
           "mlx-toolkit compare -m ./Qwen3-0.6B -d my-rows --set batch-tokens=1024 --set "
           "full.learning-rate=1e-5",
           "mlx-toolkit compare --config my-comparison/settings.json --resume"},
      .fields = describe(*config),
      .run = [config](const cli::Context& context) { return run_command(*config, context); }};
}

}  // namespace toolkit::compare
