#include "engine/adapt.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "core/base/error.h"
#include "core/base/random.h"
#include "engine/module_pattern.h"
#include "engine/singular_values.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace toolkit::engine {

namespace {

mx::array initial_a(int inputs, int rank, Random& random) {
  const double bound = 1.0 / std::sqrt(inputs);
  std::vector<float> values(static_cast<size_t>(inputs) * static_cast<size_t>(rank));
  for (float& value : values) value = static_cast<float>((2.0 * random.uniform() - 1.0) * bound);
  return mx::array(values.data(), {inputs, rank}, mx::float32);
}

int first_layer(const models::Decoder& model, int num_layers) {
  const int layers = model.config().num_layers;
  if (num_layers == 0 || num_layers > layers)
    fail(ErrorKind::kUserInput,
         "the model has {} layers, so the last {} cannot be adapted; give 1 to {}, "
         "or -1 for all",
         layers, num_layers, layers);
  return num_layers < 0 ? 0 : layers - num_layers;
}

/// Which modules get a branch, and of which rank.
class Choice {
 public:
  Choice(models::Decoder& model, const LoraOptions& options)
      : options_(options),
        modules_(layer_modules(model)),
        targets_(module_patterns(options.targets.empty() ? std::vector<std::string>{"all"}
                                                         : options.targets)),
        excluded_(module_patterns(options.excluded)),
        rules_(rank_rules(options.ranks)),
        first_(first_layer(model, options.num_layers)) {
    check_patterns(targets_, modules_);
    check_patterns(excluded_, modules_);
    for (const RankRule& rule : rules_) check_patterns({rule.pattern}, modules_);
  }

  const std::vector<LayerModule>& modules() const { return modules_; }

  bool has(const LayerModule& module) const {
    return module.layer >= first_ && matches_any(targets_, module) &&
           !matches_any(excluded_, module);
  }

  int rank_of(const LayerModule& module) const {
    int rank = options_.rank;
    for (const RankRule& rule : rules_)
      if (rule.pattern.matches(module)) rank = rule.rank;
    const int inputs = module.linear->weight.columns(), outputs = module.linear->weight.rows();
    if (rank < 1 || rank > std::min(inputs, outputs))
      fail(ErrorKind::kUserInput, "rank {} does not suit {} ({} x {}): give 1 to {}", rank,
           module.path, outputs, inputs, std::min(inputs, outputs));
    return rank;
  }

  float scale_of(int rank) const {
    const float ratio = static_cast<float>(options_.rank) / static_cast<float>(rank);
    return options_.scale * (options_.rank_stabilized ? std::sqrt(ratio) : ratio);
  }

 private:
  const LoraOptions& options_;
  std::vector<LayerModule> modules_;
  std::vector<ModulePattern> targets_, excluded_;
  std::vector<RankRule> rules_;
  int first_;
};

tensor::LoraBranch zero_branch(const tensor::Weight& weight, int rank, float scale,
                               Random& random) {
  return {.a = initial_a(weight.columns(), rank, random),
          .b = mx::zeros({rank, weight.rows()}, mx::float32),
          .scale = scale};
}

tensor::LoraBranch principal_branch(const tensor::Weight& weight, int rank, float scale,
                                    uint64_t seed) {
  const SingularTriplets leading = leading_singular_triplets(weight, rank, seed);
  const mx::array root = mx::sqrt(mx::divide(leading.values, mx::array(scale)));
  const mx::array a = mx::multiply(leading.v, root);
  const mx::array b = mx::contiguous(mx::transpose(mx::multiply(leading.u, root)));
  tensor::LoraBranch branch{.a = a, .b = b, .scale = scale};
  branch.frozen_a = a;
  branch.frozen_b = mx::negative(b);
  mx::eval(branch.a, branch.b, *branch.frozen_b);
  return branch;
}

}  // namespace

std::vector<std::string> attach_lora(models::Decoder& model, const LoraOptions& options) {
  const Choice choice(model, options);
  remove_adapter(model);
  model.set_trained({});
  Random random(options.seed);
  std::vector<std::string> chosen;
  for (const LayerModule& module : choice.modules()) {
    if (!choice.has(module)) continue;
    nn::Linear& layer = *module.linear;
    const int rank = choice.rank_of(module);
    const float scale = choice.scale_of(rank);
    layer.lora = options.start == BranchStart::kPissa
                     ? principal_branch(layer.weight, rank, scale, random.next())
                     : zero_branch(layer.weight, rank, scale, random);
    if (options.magnitudes) {
      const mx::array squares = nn::squared_row_norms(layer.weight);
      layer.dora = nn::Dora{.magnitude = mx::sqrt(squares), .squared_norms = squares};
      mx::eval(layer.dora->magnitude);
    }
    if (std::find(chosen.begin(), chosen.end(), module.inside) == chosen.end())
      chosen.push_back(module.inside);
  }
  if (chosen.empty())
    fail(ErrorKind::kUserInput,
         "no layer is left to adapt: every target is excluded or outside the last {} layers",
         options.num_layers);
  return chosen;
}

std::vector<BranchShape> branch_shapes(models::Decoder& model, const LoraOptions& options) {
  const Choice choice(model, options);
  std::vector<BranchShape> shapes;
  for (const LayerModule& module : choice.modules())
    if (choice.has(module))
      shapes.push_back(
          {module.linear->weight.columns(), module.linear->weight.rows(), choice.rank_of(module)});
  return shapes;
}

std::set<std::string> fully_trained(models::Decoder& model, int num_layers) {
  const int first = first_layer(model, num_layers);
  std::set<std::string> names;
  for (const models::ModelParameter& parameter : model.parameters())
    if (num_layers < 0 || parameter.layer >= first) names.insert(parameter.name);
  return names;
}

int64_t train_fully(models::Decoder& model, int num_layers) {
  std::set<std::string> names = fully_trained(model, num_layers);
  remove_adapter(model);
  const int64_t grown = model.make_dense(names);
  model.set_trained(std::move(names));
  return grown;
}

checkpoint::Adapter adapter_form(models::Decoder& model) {
  checkpoint::Adapter form;
  if (!model.trained().empty()) {
    form.method = checkpoint::AdapterMethod::kFull;
    return form;
  }
  form.rank = 0;
  std::vector<std::pair<LayerModule, int>> branches;
  for (const LayerModule& module : layer_modules(model)) {
    if (!module.linear->lora) continue;
    const tensor::LoraBranch& lora = *module.linear->lora;
    const int rank = lora.a.shape(1) + (lora.frozen_a ? lora.frozen_a->shape(1) : 0);
    branches.emplace_back(module, rank);
    if (module.linear->dora) form.method = checkpoint::AdapterMethod::kDora;
    if (std::find(form.keys.begin(), form.keys.end(), module.inside) == form.keys.end())
      form.keys.push_back(module.inside);
    if (rank > form.rank) {
      form.rank = rank;
      form.scale = lora.scale;
    }
  }
  for (const auto& [module, rank] : branches) {
    if (rank != form.rank) form.rank_pattern[module.path] = rank;
    if (module.linear->lora->scale != form.scale)
      form.scale_pattern[module.path] = module.linear->lora->scale;
  }
  return form;
}

std::map<std::string, mx::array> adapter_tensors(models::Decoder& model,
                                                 std::map<std::string, mx::array> trained) {
  for (const LayerModule& module : layer_modules(model)) {
    if (!module.linear->lora || !module.linear->lora->frozen_a) continue;
    const tensor::LoraBranch& lora = *module.linear->lora;
    const auto join = [&](const std::string& name, const mx::array& frozen, int axis) {
      if (const auto found = trained.find(module.path + name); found != trained.end())
        found->second = mx::concatenate({found->second, frozen}, axis);
    };
    join(".lora_a", *lora.frozen_a, 1);
    join(".lora_b", *lora.frozen_b, 0);
  }
  if (model.config().norm_adds_one)
    for (const models::ModelParameter& parameter : model.parameters())
      if (const auto found = trained.find(parameter.name);
          found != trained.end() && parameter.kind == models::ModelParameter::Kind::kNorm)
        found->second = mx::subtract(found->second, mx::array(1.0f));
  return trained;
}

void restore_frozen(models::Decoder& model, const checkpoint::Adapter& saved) {
  for (const LayerModule& module : layer_modules(model)) {
    if (!module.linear->lora || !module.linear->lora->frozen_a) continue;
    tensor::LoraBranch& lora = *module.linear->lora;
    const int rank = lora.a.shape(1);
    const auto a = saved.tensors.find(module.path + ".lora_a");
    const auto b = saved.tensors.find(module.path + ".lora_b");
    if (a == saved.tensors.end() || b == saved.tensors.end() || a->second.ndim() != 2 ||
        b->second.ndim() != 2 || a->second.shape(1) != 2 * rank || b->second.shape(0) != 2 * rank)
      fail(
          ErrorKind::kUserInput,
          "the saved adapter has no branch of rank {} on {}: it had another rank, other targets or "
          "another start",
          2 * rank, module.path);
    const auto second_half = [&](const mx::array& both, int axis) {
      mx::Shape begin = {0, 0};
      begin[static_cast<size_t>(axis)] = rank;
      return mx::contiguous(mx::slice(both, begin, both.shape()));
    };
    lora.frozen_a = second_half(a->second, 1);
    lora.frozen_b = second_half(b->second, 0);
    mx::eval(*lora.frozen_a, *lora.frozen_b);
  }
}

}  // namespace toolkit::engine
