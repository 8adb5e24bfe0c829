#include "engine/train/objective.h"

#include <numeric>

#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace toolkit::engine {

namespace {

class Supervised : public Objective {
 public:
  double units(const data::PackedBatch& batch) const override {
    return static_cast<double>(batch.predictors.size());
  }
  std::vector<mx::array> sums(models::Decoder& model, const data::PackedBatch& batch,
                              const LossOptions& options,
                              const std::vector<mx::array>&) const override {
    return {loss_sum(model, batch, options)};
  }
};

}  // namespace

std::vector<mx::array> Objective::constants(models::Decoder&, const data::PackedBatch&) const {
  return {};
}

const Objective& supervised() {
  static const Supervised objective;
  return objective;
}

BatchGradients batch_gradients(models::Decoder& model, TrainableParameters& parameters,
                               const data::PackedBatch& batch, const LossOptions& options,
                               const Objective& objective) {
  std::vector<int> all(parameters.size());
  std::iota(all.begin(), all.end(), 0);
  const std::vector<mx::array> constants = objective.constants(model, batch);
  const auto traced = [&](const std::vector<mx::array>& tracers) {
    ParameterSwap swap(parameters, tracers);
    return objective.sums(model, batch, options, constants);
  };
  auto [sums, gradients] = mx::value_and_grad(
      std::function<std::vector<mx::array>(const std::vector<mx::array>&)>(traced),
      all)(parameters.values());
  return {.loss = sums[0],
          .metrics = std::vector<mx::array>(sums.begin() + 1, sums.end()),
          .gradients = std::move(gradients)};
}

std::pair<mx::array, std::vector<mx::array>> loss_and_gradients(models::Decoder& model,
                                                                TrainableParameters& parameters,
                                                                const data::PackedBatch& batch,
                                                                const LossOptions& options) {
  BatchGradients found = batch_gradients(model, parameters, batch, options, supervised());
  return {found.loss, std::move(found.gradients)};
}

Metrics mean_metrics(const Objective& objective, const std::vector<double>& sums, double units) {
  Metrics means;
  const std::vector<std::string> names = objective.metric_names();
  for (size_t i = 0; i < names.size() && i < sums.size(); ++i)
    means[names[i]] = units > 0 ? sums[i] / units : 0.0;
  return means;
}

MeasuredLoss measure_loss(models::Decoder& model, const Batches& batches,
                          const std::function<bool(int, int)>& progress, Share share,
                          const Objective& objective) {
  MeasuredLoss measured{.metric_sums = std::vector<double>(objective.metric_names().size(), 0.0)};
  for (int i = share.index; i < batches.per_epoch(); i += share.of) {
    if (progress && !progress(i, batches.per_epoch())) {
      measured.complete = false;
      return measured;
    }
    const data::PackedBatch batch = batches.at(i);
    std::vector<mx::array> sums =
        objective.sums(model, batch, {}, objective.constants(model, batch));
    mx::eval(sums);
    measured.sum += sums[0].item<float>();
    measured.units += objective.units(batch);
    for (size_t k = 0; k < measured.metric_sums.size(); ++k)
      measured.metric_sums[k] += static_cast<double>(sums[1].data<float>()[k]);
  }
  return measured;
}

}  // namespace toolkit::engine
