#include "projects/finetune/method.h"

#include <cmath>

#include "core/base/error.h"
#include "engine/adapt.h"
#include "engine/module_pattern.h"
#include "projects/finetune/checkpoints.h"
#include "projects/finetune/objective.h"

namespace toolkit::finetune {

namespace {

bool has_branches(const Config& config) {
  return config.method != "full";
}

void check_full(const Config& config) {
  const Config defaults;
  const auto refuse = [](const std::string& setting) {
    fail(ErrorKind::kUserInput,
         "--{} belongs to LoRA, but --method full trains the weights themselves; leave it out, or "
         "choose --method lora or dora",
         setting);
  };
  if (config.rank != defaults.rank) refuse("rank");
  if (config.alpha != defaults.alpha) refuse("alpha");
  if (config.targets != defaults.targets) refuse("targets");
  if (!config.exclude.empty()) refuse("exclude");
  if (!config.ranks.empty()) refuse("ranks");
  if (config.rslora) refuse("rslora");
  if (config.init != defaults.init) refuse("init");
  if (config.dropout > 0) refuse("dropout");
  if (config.compute == "int8")
    fail(ErrorKind::kUserInput,
         "--compute int8 is for weights that do not learn, but --method full trains them; use "
         "--compute f32, or --method lora");
}

std::string megabytes(int64_t bytes) {
  return fmt::format("{:.0f} MB", static_cast<double>(bytes) / 1e6);
}

int packed_layers(models::Decoder& model) {
  int packed = 0;
  for (const engine::LayerModule& module : engine::layer_modules(model))
    packed += module.linear->weight.quantized();
  return packed;
}

void prepare_full(const Config& config, models::Decoder& model, std::vector<std::string>& notes) {
  const int64_t grown = engine::train_fully(model, config.layers);
  if (grown > 0)
    notes.push_back(
        fmt::format("the base was packed or of 16 bits; what is trained was expanded to f32, which "
                    "costs {} more memory",
                    megabytes(grown)));
}

void prepare_branches(const Config& config, models::Decoder& model,
                      std::vector<std::string>& notes) {
  engine::attach_lora(model, branch_options(config));
  if (config.init == "pissa") {
    notes.push_back(fmt::format(
        "PiSSA: the adapter is saved as LoRA of rank {} on the unchanged base", 2 * config.rank));
    if (config.resume || !config.resume_from.empty()) {
      const Checkpoint start =
          find_checkpoint(config.resume_from.empty() ? config.output : config.resume_from);
      engine::restore_frozen(model, checkpoint::load_adapter(start.folder));
    }
  }
  if (config.method == "qlora") {
    const int packed = packed_layers(model);
    const int all = static_cast<int>(engine::layer_modules(model).size());
    notes.push_back(
        fmt::format("QLoRA: {} of {} linear layers of the base are packed", packed, all));
    if (packed == 0)
      fail(ErrorKind::kUserInput,
           "--method qlora: no layer's width is a multiple of --quantize-group {}; try 32, or "
           "--method lora",
           config.quantize_group);
  }
}

}  // namespace

void check_method(const Config& config) {
  if (!has_branches(config)) check_full(config);
  if (config.method == "dora" && config.init == "pissa")
    fail(ErrorKind::kUserInput,
         "--init pissa changes what DoRA's norms are made of, so they do not go together; use "
         "--method lora --init pissa, or --method dora --init zero");
  if (config.method != "qlora" && config.quantize_group != Config{}.quantize_group)
    fail(ErrorKind::kUserInput,
         "--quantize-group says how --method qlora packs the base; --method {} does not pack it",
         config.method);
  if (config.quantize_group != 32 && config.quantize_group != 64 && config.quantize_group != 128)
    fail(ErrorKind::kUserInput, "--quantize-group {}: expected 32, 64 or 128",
         config.quantize_group);
  if (config.rank == kAuto && learns_from_pairs(config))
    fail(ErrorKind::kUserInput,
         "--rank auto looks at the gradients of --objective sft; with {} give a number, such as 16",
         config.objective);
  engine::module_patterns(config.targets);
  engine::module_patterns(config.exclude);
  engine::rank_rules(config.ranks);
}

models::BasePacking base_packing(const Config& config) {
  if (config.method != "qlora") return {};
  return {.bits = 4, .group_size = config.quantize_group};
}

engine::LoraOptions branch_options(const Config& config) {
  const double divisor = config.rslora ? std::sqrt(config.rank) : config.rank;
  const bool pissa = config.init == "pissa";
  return {.rank = config.rank,
          .scale = static_cast<float>(config.alpha / divisor),
          .targets = config.targets,
          .excluded = config.exclude,
          .ranks = config.ranks,
          .rank_stabilized = config.rslora,
          .num_layers = config.layers,
          .magnitudes = config.method == "dora",
          .start = pissa ? engine::BranchStart::kPissa : engine::BranchStart::kZero,
          .seed = static_cast<uint64_t>(config.seed)};
}

std::string method_name(const Config& config) {
  std::string name = config.method;
  if (config.rslora) name += ", rsLoRA";
  if (config.init == "pissa") name += ", PiSSA";
  return name;
}

checkpoint::Adapter prepare_method(const Config& config, models::Decoder& model,
                                   std::vector<std::string>& notes) {
  if (has_branches(config))
    prepare_branches(config, model, notes);
  else
    prepare_full(config, model, notes);
  checkpoint::Adapter form = engine::adapter_form(model);
  form.num_layers = config.layers;
  form.base_model = config.model;
  form.use_rslora = config.rslora;
  form.dropout = static_cast<float>(config.dropout);
  if (config.share_prefix && (config.dropout > 0 || config.neftune > 0))
    notes.push_back(
        "where rows share their beginning, one draw of dropout or noise serves all samples of a "
        "row there (--no-share-prefix: each its own)");
  return form;
}

engine::Regularization regularization(const Config& config) {
  return {.dropout = static_cast<float>(config.dropout),
          .neftune_alpha = static_cast<float>(config.neftune),
          .label_smoothing =
              config.objective == "sft" ? static_cast<float>(config.label_smoothing) : 0.0f,
          .seed = static_cast<uint64_t>(config.seed)};
}

}  // namespace toolkit::finetune
