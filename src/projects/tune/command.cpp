#include "projects/tune/command.h"

#include <fmt/format.h>

#include <memory>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/platform/process.h"
#include "core/report/run_log.h"
#include "projects/tune/page.h"
#include "projects/tune/search_run.h"

namespace toolkit::tune {

namespace {

nlohmann::json run_command(Config& config, const cli::Context& context) {
  Search search = prepare(config, platform::own_program(), model_limits(config.model));
  const report::OpenRun open =
      report::open_run({.kind = "tune", .folder = config.output, .resume = config.resume});
  try {
    const Json settings = Json::parse(fields_to_json(describe(config)));
    open.log->parameters(settings);
    // JSON is YAML: `--config <output>/settings.json --resume` goes on.
    write_file_atomically(search.file("settings.json"), settings.dump(2) + "\n");
    run(search, open, context.quiet);
    const Json result = to_json(search);
    open.log->finish(search.status, result);
    if (!context.json && !context.quiet) fmt::print("{}", to_page(search));
    return result;
  } catch (const std::exception& error) {
    open.log->finish("failed", {{"error", error.what()}});
    throw;
  }
}

}  // namespace

cli::Command tune_command() {
  const auto config = std::make_shared<Config>();
  return {
      .name = "tune",
      .summary = "find the settings that teach your rows best",
      .description =
          "Tries settings of finetune (learning rate, rank, alpha, targets, layers, warm-up) and "
          "writes the best as best.yaml. A Gaussian process chooses what to try; most trials "
          "train a part of the steps and only the best ones train whole. Every trial is a "
          "process and a run of its own (`runs list`). Ctrl-C stops; --resume goes on, also "
          "after a kill.",
      .examples =
          {"mlx-toolkit tune -m sample://smollm2-135m -d examples/data/dictionary --trials 12 "
           "--steps 90 -o my-search",
           "mlx-toolkit tune -m ./Qwen3-0.6B -d my-rows --minutes 120 --set batch-tokens=1024",
           "mlx-toolkit tune -m ./Qwen3-0.6B -d my-rows --only learning-rate,rank --rounds 1",
           "mlx-toolkit tune --config my-search/settings.json --resume --trials 30  # more",
           "mlx-toolkit finetune --config my-search/best.yaml -o my-adapter"},
      .fields = describe(*config),
      .run = [config](const cli::Context& context) { return run_command(*config, context); }};
}

}  // namespace toolkit::tune
