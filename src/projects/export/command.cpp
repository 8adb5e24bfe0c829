#include "projects/export/command.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "core/base/paths.h"
#include "core/files/disk_space.h"
#include "projects/export/run.h"

namespace toolkit::export_model {

namespace {

nlohmann::json to_json(const Result& result) {
  nlohmann::json json = {{"output", result.output.string()},
                         {"size_bytes", result.size_bytes},
                         {"files", result.files},
                         {"notes", result.notes}};
  if (result.merged)
    json["merged"] = {{"modules", result.merged->modules},
                      {"kept", result.merged->kept},
                      {"noise", result.merged->noise},
                      {"worst_kept", result.merged->worst_kept},
                      {"worst_module", result.merged->worst_module}};
  if (result.losses) {
    const LossCheck& losses = *result.losses;
    json["losses"] = {{"rows", losses.rows},
                      {"adapter", losses.before.value},
                      {"fused", losses.after.value},
                      {"difference", losses.difference.value},
                      {"difference_interval", {losses.difference.low, losses.difference.high}}};
  }
  return json;
}

std::string merge_line(const checkpoint::MergeLoss& merged) {
  std::string line = fmt::format(
      "  adapter     merged into {} layers: {:.2f} % of the change is in the written weights, with "
      "rounding of {:.2f} % of its size\n",
      merged.modules, 100.0 * merged.kept, 100.0 * merged.noise);
  if (!merged.worst_module.empty() && merged.worst_kept < 0.995)
    line += fmt::format("              least in {}: {:.2f} %\n", merged.worst_module,
                        100.0 * merged.worst_kept);
  return line;
}

std::string to_page(const Result& result) {
  std::string page = fmt::format("Wrote {}, {}\n", shown_path(result.output),
                                 files::shown_bytes(result.size_bytes));
  if (!result.files.empty())
    page += fmt::format("  files       {}\n", fmt::join(result.files, ", "));
  if (result.merged) page += merge_line(*result.merged);
  if (result.losses) {
    const LossCheck& losses = *result.losses;
    page += fmt::format(
        "  loss        {:.4f} with the adapter beside the model, {:.4f} fused: {:+.4f} ({:+.4f} .. "
        "{:+.4f}) on {} rows\n",
        losses.before.value, losses.after.value, losses.difference.value, losses.difference.low,
        losses.difference.high, losses.rows);
  }
  for (const std::string& note : result.notes) page += fmt::format("  note        {}\n", note);
  return page;
}

template <class Run>
nlohmann::json run_and_print(const cli::Context& context, const Run& run) {
  const Result result = run(context.quiet || context.json);
  if (!context.json && !context.quiet) fmt::print("{}", to_page(result));
  return to_json(result);
}

}  // namespace

cli::Command fuse_command() {
  const auto config = std::make_shared<FuseConfig>();
  return {.name = "fuse",
          .summary = "merge an adapter into its model",
          .description =
              "Writes a Hugging Face folder whose weights contain the adapter (LoRA, DoRA or whole "
              "weights). A quantized model becomes dense, or is quantized again with --quantize; "
              "how much of the adapter's change the written weights hold is always told.",
          .examples = {"mlx-toolkit fuse -m sample://smollm2-135m -a my-adapter -o fused",
                       "mlx-toolkit fuse -m ./Qwen3-0.6B-4bit -a my-adapter -o fused --quantize 8 "
                       "--data rows.jsonl"},
          .fields = describe(*config),
          .run = [config](const cli::Context& context) {
            return run_and_print(context, [&](bool quiet) { return fuse(*config, quiet); });
          }};
}

cli::Command export_command() {
  const auto config = std::make_shared<ExportConfig>();
  return {.name = "export",
          .summary = "write a model or adapter for other programs",
          .description =
              "A model: hf (transformers), mlx-quantized (mlx-lm), gguf (llama.cpp), "
              "ollama (GGUF and Modelfile). An adapter: peft, mlx, gguf-adapter. With --adapter a "
              "model is written with it merged in.",
          .examples =
              {"mlx-toolkit export -f gguf -m sample://smollm2-135m -a my-adapter -o tuned.gguf",
               "mlx-toolkit export -f gguf --type q4_0 -m ./Qwen3-0.6B -o qwen3.gguf",
               "mlx-toolkit export -f mlx-quantized --bits 4 -m ./Qwen3-0.6B -o qwen3-4bit",
               "mlx-toolkit export -f ollama -m sample://smollm2-135m -a my-adapter -o for-ollama  "
               "# then: ollama create NAME -f for-ollama/Modelfile",
               "mlx-toolkit export -f peft -a my-adapter -o my-adapter-peft"},
          .fields = describe(*config),
          .run = [config](const cli::Context& context) {
            return run_and_print(context, [&](bool quiet) { return export_model(*config, quiet); });
          }};
}

}  // namespace toolkit::export_model
