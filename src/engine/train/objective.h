#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/data/packing.h"
#include "engine/train/batches.h"
#include "engine/train/loss.h"
#include "engine/train/trainable_parameters.h"
#include "models/decoder.h"

namespace toolkit::engine {

/// Means over units by name ("reward_accuracy"), beside the loss.
using Metrics = std::map<std::string, double>;

/// What training minimizes: the mean of a loss over its units.
class Objective {
 public:
  virtual ~Objective() = default;

  /// How many units a batch has: supervised tokens, pairs of answers.
  virtual double units(const data::PackedBatch& batch) const = 0;
  /// Names of the metrics, in the order of sums().
  virtual std::vector<std::string> metric_names() const { return {}; }
  /// What the loss needs of the batch that has no gradient, evaluated. Called with the model as it
  /// is, before sums() is traced.
  virtual std::vector<mx::array> constants(models::Decoder& model,
                                           const data::PackedBatch& batch) const;
  /// The loss () f32 summed over the batch's units, then, if there are any, the metrics' sums (M).
  virtual std::vector<mx::array> sums(models::Decoder& model, const data::PackedBatch& batch,
                                      const LossOptions& options,
                                      const std::vector<mx::array>& constants) const = 0;
};

/// Cross-entropy of the supervised tokens, loss_sum(): supervised fine-tuning.
const Objective& supervised();

/// Sums over one batch, all lazy.
struct BatchGradients {
  mx::array loss;
  std::vector<mx::array> metrics;    // none, or one of (M)
  std::vector<mx::array> gradients;  // with respect to each parameter
};
BatchGradients batch_gradients(models::Decoder& model, TrainableParameters& parameters,
                               const data::PackedBatch& batch, const LossOptions& options,
                               const Objective& objective);

/// The supervised loss alone.
std::pair<mx::array, std::vector<mx::array>> loss_and_gradients(models::Decoder& model,
                                                                TrainableParameters& parameters,
                                                                const data::PackedBatch& batch,
                                                                const LossOptions& options = {});

struct MeasuredLoss {
  double sum = 0;    // nats
  double units = 0;  // see Objective
  std::vector<double> metric_sums;
  bool complete = true;
  double mean() const { return units > 0 ? sum / units : 0.0; }
};

/// The metrics of sums over `units` by name.
Metrics mean_metrics(const Objective& objective, const std::vector<double>& sums, double units);

/// One of `of` parts of a data set: its batches `index`, `index + of`, ...
struct Share {
  int index = 0, of = 1;
};

/// Loss over all batches of one epoch (or a share of them), without gradients: exact, every
/// unit once. `progress` (done, total) is called before each batch and may return false
/// to stop early.
MeasuredLoss measure_loss(models::Decoder& model, const Batches& batches,
                          const std::function<bool(int, int)>& progress = {}, Share share = {},
                          const Objective& objective = supervised());

}  // namespace toolkit::engine
