#include "projects/export/config.h"

#include <algorithm>

#include "core/base/error.h"

namespace toolkit::export_model {

namespace {

constexpr const char* kModelHelp = "folder, .gguf file, hf://... or sample://smollm2-135m";

/// What each format of `export` takes.
struct Format {
  const char* name;
  bool model, adapter;             // must be given
  std::vector<std::string> types;  // that --type may be besides auto
};

const std::vector<Format>& formats() {
  static const std::vector<Format> known = {
      {"hf", true, false, {"f32", "f16", "bf16"}},
      {"mlx-quantized", true, false, {}},
      {"gguf", true, false, {"f32", "f16", "bf16", "q8_0", "q4_0", "q4_1"}},
      {"ollama", true, false, {"f32", "f16", "bf16", "q8_0", "q4_0", "q4_1"}},
      {"peft", false, true, {}},
      {"mlx", false, true, {}},
      {"gguf-adapter", true, true, {}},
  };
  return known;
}

std::vector<std::string> format_names() {
  std::vector<std::string> names;
  for (const Format& format : formats()) names.emplace_back(format.name);
  return names;
}

}  // namespace

Fields describe(FuseConfig& config) {
  return {
      {.name = "model",
       .target = &config.model,
       .help = kModelHelp,
       .group = "Model",
       .short_name = "m",
       .required = true},
      {.name = "adapter",
       .target = &config.adapter,
       .help = "adapter folder, in mlx-lm's or PEFT's layout",
       .group = "Model",
       .short_name = "a",
       .required = true},
      {.name = "output",
       .target = &config.output,
       .help = "folder to write; must be new or empty",
       .group = "Output",
       .short_name = "o",
       .required = true},
      {.name = "dtype",
       .target = &config.dtype,
       .help = "of the weights; auto: the model's own, of its scales where it is quantized",
       .group = "Output",
       .choices = {"auto", "f32", "f16", "bf16"}},
      {.name = "quantize",
       .target = &config.quantize,
       .help = "write MLX's 4- or 8-bit groups again; how much of the adapter is kept is told",
       .group = "Output",
       .choices = {"none", "4", "8"}},
      {.name = "group-size",
       .target = &config.group_size,
       .help = "values per scale with --quantize: 32, 64 or 128",
       .group = "Output"},
      {.name = "data",
       .target = &config.data,
       .help = "rows (.jsonl or a folder) on which model and adapter are compared with the result",
       .group = "Check",
       .short_name = "d"},
      {.name = "limit",
       .target = &config.limit,
       .help = "compare on the first N rows; 0: all",
       .group = "Check",
       .minimum = 0},
      {.name = "compute",
       .target = &config.compute,
       .help = "arithmetic of the comparison",
       .group = "Check",
       .choices = {"auto", "f32", "bf16", "int8"}}};
}

Fields describe(ExportConfig& config) {
  return {{.name = "format",
           .target = &config.format,
           .help = "a model: hf, mlx-quantized, gguf, ollama; an adapter: peft, mlx, gguf-adapter",
           .group = "Output",
           .short_name = "f",
           .choices = format_names(),
           .required = true},
          {.name = "model",
           .target = &config.model,
           .help = kModelHelp,
           .group = "Input",
           .short_name = "m"},
          {.name = "adapter",
           .target = &config.adapter,
           .help = "adapter folder, in either layout; merged into a model that is exported",
           .group = "Input",
           .short_name = "a"},
          {.name = "output",
           .target = &config.output,
           .help = "folder to write (new or empty), or the .gguf file",
           .group = "Output",
           .short_name = "o",
           .required = true},
          {.name = "type",
           .target = &config.type,
           .help = "of the weights: f32, f16, bf16; q8_0, q4_0, q4_1 in GGUF; auto: as they are",
           .group = "Output",
           .choices = {"auto", "f32", "f16", "bf16", "q8_0", "q4_0", "q4_1"}},
          {.name = "bits",
           .target = &config.bits,
           .help = "of mlx-quantized",
           .group = "Output",
           .minimum = 2,
           .maximum = 8},
          {.name = "group-size",
           .target = &config.group_size,
           .help = "of mlx-quantized: 32, 64 or 128",
           .group = "Output"},
          {.name = "keep-adapter",
           .target = &config.keep_adapter,
           .help = "ollama: the adapter as a file of its own (ADAPTER) instead of merged",
           .group = "Output"}};
}

namespace {

void check_group_size(int group_size) {
  if (group_size != 32 && group_size != 64 && group_size != 128)
    fail(ErrorKind::kUserInput, "--group-size: expected 32, 64 or 128, found {}", group_size);
}

}  // namespace

void check(const FuseConfig& config) {
  check_group_size(config.group_size);
  if (config.quantize != "none" && config.dtype != "auto")
    fail(ErrorKind::kUserInput,
         "give either --dtype or --quantize: quantized weights have no dtype");
}

void check(const ExportConfig& config) {
  check_group_size(config.group_size);
  const auto& all = formats();
  const auto format = std::find_if(all.begin(), all.end(),
                                   [&](const Format& row) { return config.format == row.name; });
  if (format == all.end())
    fail(ErrorKind::kInternal, "the format '{}' is not in the table", config.format);
  if (format->model && config.model.empty())
    fail(ErrorKind::kUserInput, "--format {} needs --model", config.format);
  if (format->adapter && config.adapter.empty())
    fail(ErrorKind::kUserInput, "--format {} needs --adapter", config.format);
  if (config.keep_adapter && (config.format != "ollama" || config.adapter.empty()))
    fail(ErrorKind::kUserInput, "--keep-adapter goes with --format ollama and --adapter");
  if (config.type != "auto" &&
      std::find(format->types.begin(), format->types.end(), config.type) == format->types.end())
    fail(ErrorKind::kUserInput, "--format {} has no --type {}{}", config.format, config.type,
         format->types.empty() ? "" : fmt::format("; expected {}", fmt::join(format->types, ", ")));
  if (config.bits == 7) fail(ErrorKind::kUserInput, "--bits: expected 2, 3, 4, 5, 6 or 8, found 7");
}

}  // namespace toolkit::export_model
