#include "projects/finetune/command.h"

#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/report/run_log.h"
#include "projects/finetune/config.h"
#include "projects/finetune/page.h"
#include "projects/finetune/plan_page.h"
#include "projects/finetune/prepare.h"
#include "projects/finetune/run.h"

namespace toolkit::finetune {

namespace {

// Of a process that does not lead.
struct SilentRunLog : report::RunLog {
  void parameters(const nlohmann::json&) override {}
  void metric(const std::string&, int64_t, double) override {}
  void artifact(const std::filesystem::path&, const std::string&) override {}
  void finish(const std::string&, const nlohmann::json&) override {}
};

nlohmann::json run_command(Config& config, const cli::Context& context) {
  check(config);
  const bool talk = !context.json && !context.quiet;
  if (config.dry_run) {
    const Prepared prepared = prepare(config);
    if (talk) fmt::print("{}", plan_page(prepared));
    return plan_json(prepared);
  }
  const auto processes = distributed::ProcessGroup::from_environment();
  if (!processes.leads()) {
    SilentRunLog silent;
    run(config, silent, /* quiet= */ true, processes);
    return nullptr;
  }
  const auto log = report::open_run({.kind = "finetune",
                                     .folder = config.output,
                                     .resume = config.resume || !config.resume_from.empty()})
                       .log;
  try {
    Prepared prepared = prepare(config, context.quiet);
    if (talk) fmt::print(stderr, "{}", plan_page(prepared));
    const Result result = run(std::move(prepared), *log, context.quiet, processes);
    if (talk) fmt::print("{}", to_page(config, result));
    return to_json(result);
  } catch (const std::exception& error) {
    log->finish("failed", {{"error", error.what()}});
    throw;
  }
}

}  // namespace

cli::Command finetune_command() {
  const auto config = std::make_shared<Config>();
  return {.name = "finetune",
          .summary = "teach a model from your rows (LoRA, QLoRA, DoRA, full; DPO, ORPO)",
          .description =
              "Trains an adapter (or with --method full the weights) on chat, prompt/completion or "
              "text rows and writes it in mlx-lm's layout, "
              "with a log and a plot of the loss. Only the assistant's words are learned. Ctrl-C "
              "saves and stops; "
              "--resume goes on.",
          .examples =
              {"mlx-toolkit finetune --model sample://smollm2-135m --data examples/data/dictionary "
               "--output my-adapter",
               "mlx-toolkit finetune -m ./Qwen3-0.6B -d rows.jsonl --rank 16 --epochs 3 "
               "--validate-every 50",
               "mlx-toolkit finetune -m ./Qwen3-0.6B -d rows.jsonl --method dora --ranks "
               "'q_proj=16,mlp=4' --dropout 0.05",
               "mlx-toolkit finetune -m ./Qwen3-0.6B -d rows.jsonl --method full --layers 4 "
               "--learning-rate 1e-5",
               "mlx-toolkit finetune -m ./Qwen3-0.6B -d pairs.jsonl --objective dpo --beta 0.1 "
               "--learning-rate 5e-5  # prompt, chosen, rejected",
               "mlx-toolkit finetune --config finetune.yaml --compute int8  # settings from a "
               "file, one changed",
               "mlx-toolkit finetune -m ./Qwen3-0.6B -d rows.jsonl --accumulate 8 --schedule wsd "
               "--validate-every 50 --patience 3",
               "mlx-toolkit finetune --config finetune.yaml --memory-limit 10GB --dry-run",
               "mlx-toolkit finetune --config finetune.yaml --resume        # go on after Ctrl-C",
               "mlx-toolkit launch -n 2 -- finetune --config finetune.yaml  # on two processes"},
          .fields = describe(*config),
          .run = [config](const cli::Context& context) { return run_command(*config, context); }};
}

}  // namespace toolkit::finetune
