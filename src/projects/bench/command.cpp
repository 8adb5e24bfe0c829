#include "projects/bench/command.h"

#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "projects/bench/finetune_bench.h"
#include "projects/bench/generate_bench.h"

namespace toolkit::bench {

namespace {

void print_failures(const nlohmann::json& results) {
  for (const auto& [run, result] : results["runs"].items()) {
    if (result.contains("error"))
      fmt::print("\n{} failed: {}\n", run, result["error"].get<std::string>());
  }
}

// Binds one benchmark: prints what is being measured, then the table and the machine.
template <class Settings, class Measure, class Table>
cli::Command verb(const char* name, const char* summary, std::vector<std::string> examples,
                  Measure measure, Table table) {
  const auto config = std::make_shared<Settings>();
  return {
      .name = name,
      .summary = summary,
      .description =
          "Measure on a quiet machine. With --peers the same is asked of the other "
          "programs, one after the other; their Python packages come with `scripts/setup --peers`.",
      .examples = std::move(examples),
      .fields = describe(*config),
      .run = [=](const cli::Context& context) {
        const nlohmann::json results = measure(*config, [&](const std::string& run) {
          if (!context.quiet) fmt::print(stderr, "measuring {} ...\n", run);
        });
        if (!context.json && !context.quiet) {
          fmt::print("{}\n{}, {} cores, kernels {}\n", table(results),
                     results["machine"]["cpu"].get<std::string>(),
                     results["machine"]["cores"].get<int>(),
                     results["machine"]["kernels"].get<std::string>());
          print_failures(results);
        }
        return results;
      }};
}

}  // namespace

cli::Command bench_command() {
  cli::Command command;
  command.name = "bench";
  command.summary = "measure speed and memory, alone or beside other programs";
  command.examples = {"mlx-toolkit bench finetune", "mlx-toolkit bench generate --peers"};
  command.subcommands = {
      verb<FinetuneConfig>(
          "finetune", "training, LoRA or --methods: real tokens/s, memory, loss",
          {"mlx-toolkit bench finetune", "mlx-toolkit bench finetune --peers --json",
           "mlx-toolkit bench finetune --peers --methods lora,dora,full",
           "mlx-toolkit bench finetune --peers --only \"PEFT f32 padded\"  # one run"},
          bench_finetune, finetune_table),
      verb<GenerateConfig>("generate", "prompt processing and generation: tokens/s",
                           {"mlx-toolkit bench generate", "mlx-toolkit bench generate --peers"},
                           bench_generate, generate_table)};
  return command;
}

}  // namespace toolkit::bench
