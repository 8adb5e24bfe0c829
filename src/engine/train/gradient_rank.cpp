#include "engine/train/gradient_rank.h"

#include <algorithm>
#include <cmath>

#include "engine/module_pattern.h"
#include "engine/train/objective.h"
#include "engine/train/trainable_parameters.h"
#include "mlx/linalg.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace toolkit::engine {

namespace {

constexpr int kBatches = 8, kLeast = 4;

int widest_possible(models::Decoder& model, int most) {
  for (const LayerModule& module : layer_modules(model))
    most = std::min({most, module.linear->weight.rows(), module.linear->weight.columns()});
  return most;
}

/// exp of the entropy of the eigenvalues' shares; 0 for a matrix of zeros.
double effective_rank(const mx::array& gram) {
  const mx::array values = mx::linalg::eigvalsh(gram, "L", mx::Device::cpu);
  double sum = 0, entropy = 0;
  const auto value = [&](size_t i) { return std::max(0.0, double{values.data<float>()[i]}); };
  mx::eval(values);
  for (size_t i = 0; i < values.size(); ++i) sum += value(i);
  if (!(sum > 0)) return 0;
  for (size_t i = 0; i < values.size(); ++i)
    if (const double share = value(i) / sum; share > 0) entropy -= share * std::log(share);
  return std::exp(entropy);
}

}  // namespace

RankProposal propose_rank(models::Decoder& model, LoraOptions options, const Batches& batches,
                          int most, const LossOptions& loss) {
  options.rank = widest_possible(model, most);
  options.ranks.clear();
  options.start = BranchStart::kZero;
  options.magnitudes = false;
  attach_lora(model, options);
  TrainableParameters parameters(model);
  RankProposal proposal{.batches = std::min(kBatches, batches.per_epoch())};
  std::vector<mx::array> grams;
  for (int step = 0; step < proposal.batches; ++step) {
    const std::vector<mx::array> gradients =
        loss_and_gradients(model, parameters, batches.at(step), loss).second;
    size_t at = 0;
    for (size_t i = 0; i < gradients.size(); ++i) {
      if (parameters.infos()[i].role != ParameterRole::kLoraB) continue;
      const mx::array gram = mx::matmul(gradients[i], mx::transpose(gradients[i]));
      if (step == 0)
        grams.push_back(gram);
      else
        grams[at] = mx::add(grams[at], gram);
      ++at;
    }
    mx::eval(grams);
  }
  size_t at = 0;
  for (const ParameterInfo& info : parameters.infos()) {
    if (info.role != ParameterRole::kLoraB) continue;
    const std::string path = info.name.substr(0, info.name.rfind('.'));
    proposal.layers.emplace_back(path, effective_rank(grams[at++]));
    proposal.effective += proposal.layers.back().second;
  }
  proposal.effective /= static_cast<double>(std::max<size_t>(1, proposal.layers.size()));
  proposal.rank = std::min(kLeast, options.rank);
  while (proposal.rank < proposal.effective && proposal.rank * 2 <= options.rank)
    proposal.rank *= 2;
  return proposal;
}

}  // namespace toolkit::engine
