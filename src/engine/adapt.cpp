#include "engine/adapt.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/base/error.h"
#include "core/base/random.h"
#include "mlx/ops.h"

namespace toolkit::engine {

namespace {

struct LayerPath {
  int layer;
  std::string inside;  // "self_attn.q_proj"
};

// "model.layers.3.self_attn.q_proj" -> {3, "self_attn.q_proj"}; nothing for modules outside layers.
std::optional<LayerPath> split_path(const std::string& path) {
  const std::string mark = "layers.";
  const size_t begin = path.find(mark);
  if (begin == std::string::npos) return std::nullopt;
  const size_t number = begin + mark.size(), dot = path.find('.', number);
  if (dot == std::string::npos) return std::nullopt;
  return LayerPath{std::atoi(path.substr(number, dot - number).c_str()), path.substr(dot + 1)};
}

bool matches(const std::string& target, const std::string& inside) {
  if (target == "all" || target == inside) return true;
  if (target == "attention") return inside.starts_with("self_attn.");
  if (target == "mlp") return inside.starts_with("mlp.");
  return inside.size() > target.size() && inside.ends_with("." + target);
}

mx::array initial_a(int inputs, int rank, Random& random) {
  const double bound = 1.0 / std::sqrt(inputs);
  std::vector<float> values(static_cast<size_t>(inputs) * rank);
  for (float& value : values) value = static_cast<float>((2.0 * random.uniform() - 1.0) * bound);
  return mx::array(values.data(), {inputs, rank}, mx::float32);
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

void check_targets(const std::vector<std::string>& targets, const std::vector<std::string>& known) {
  for (const std::string& target : targets)
    if (std::none_of(known.begin(), known.end(),
                     [&](const std::string& inside) { return matches(target, inside); }))
      fail(ErrorKind::kUserInput,
           "no layer of the model is called '{}'; there are: all, attention, "
           "mlp, {}",
           target, joined(known));
}

}  // namespace

std::vector<std::string> attach_lora(models::Decoder& model, const LoraOptions& options) {
  const int layers = model.config().num_layers;
  if (options.num_layers == 0 || options.num_layers > layers)
    fail(ErrorKind::kUserInput,
         "the model has {} layers, so the last {} cannot be adapted; give 1 to {}, "
         "or -1 for all",
         layers, options.num_layers, layers);
  const int first = options.num_layers < 0 ? 0 : layers - options.num_layers;
  const std::vector<std::string> targets =
      options.targets.empty() ? std::vector<std::string>{"all"} : options.targets;

  const auto linears = model.linears();
  std::vector<std::string> known;
  for (const auto& [path, layer] : linears)
    if (const auto place = split_path(path);
        place && std::find(known.begin(), known.end(), place->inside) == known.end())
      known.push_back(place->inside);
  check_targets(targets, known);

  Random random(options.seed);
  std::vector<std::string> chosen;
  for (const auto& [path, layer] : linears) {
    layer->lora.reset();
    const auto place = split_path(path);
    if (!place || place->layer < first) continue;
    if (std::none_of(targets.begin(), targets.end(),
                     [&](const std::string& target) { return matches(target, place->inside); }))
      continue;
    const int inputs = layer->weight.columns(), outputs = layer->weight.rows();
    if (options.rank < 1 || options.rank > std::min(inputs, outputs))
      fail(ErrorKind::kUserInput, "rank {} does not suit {} ({} x {}): give 1 to {}", options.rank,
           path, outputs, inputs, std::min(inputs, outputs));
    layer->lora = tensor::LoraBranch{.a = initial_a(inputs, options.rank, random),
                                     .b = mx::zeros({options.rank, outputs}, mx::float32),
                                     .scale = options.scale};
    if (std::find(chosen.begin(), chosen.end(), place->inside) == chosen.end())
      chosen.push_back(place->inside);
  }
  return chosen;
}

void apply_adapter(models::Decoder& model, const checkpoint::Adapter& adapter) {
  auto rest = adapter.tensors;
  std::string problems;
  std::vector<std::pair<nn::Linear*, tensor::LoraBranch>> branches;
  for (const auto& [path, layer] : model.linears()) {
    const auto a = rest.find(path + ".lora_a"), b = rest.find(path + ".lora_b");
    if (a == rest.end() || b == rest.end()) continue;
    const int inputs = layer->weight.columns(), outputs = layer->weight.rows();
    const mx::array &first = a->second, &second = b->second;
    if (first.ndim() != 2 || second.ndim() != 2 || first.shape(0) != inputs ||
        second.shape(1) != outputs || first.shape(1) != second.shape(0)) {
      problems += fmt::format("\n  {}: expected ({}, r) and (r, {})", path, inputs, outputs);
    } else {
      branches.emplace_back(layer, tensor::LoraBranch{.a = mx::astype(first, mx::float32),
                                                      .b = mx::astype(second, mx::float32),
                                                      .scale = adapter.scale_of(path)});
    }
    rest.erase(a);
    rest.erase(path + ".lora_b");
  }
  for (const auto& [name, tensor] : rest)
    problems += "\n  " + name + ": the model has no such layer";
  if (!problems.empty())
    fail(ErrorKind::kUserInput, "the adapter (trained on {}) does not fit this model:{}",
         adapter.base_model.empty() ? "an unnamed model" : adapter.base_model, problems);
  remove_adapter(model);
  for (auto& [layer, branch] : branches) layer->lora = std::move(branch);
}

void remove_adapter(models::Decoder& model) {
  for (const auto& [path, layer] : model.linears()) layer->lora.reset();
}

}  // namespace toolkit::engine
