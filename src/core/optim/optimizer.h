#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/tensor/array_fwd.h"
#include "mlx/array.h"

namespace toolkit::optim {

/// What one step is told besides the gradients.
struct StepInputs {
  double learning_rate;
  double gradient_scale = 1.0;  // multiplies every gradient first: 1 / supervised tokens
  double max_norm = 0.0;        // clip the global norm of the scaled gradients; 0: no clipping
};

struct StepResult {
  std::vector<mx::array> parameters;
  mx::array gradient_norm;  // () f32, scaled, before clipping; not finite: the step changed nothing
};

/// An optimizer with its state for one list of parameters. Everything stays lazy: the caller
/// evaluates the result and `state()` together, so that buffers of the old values can be reused.
class Optimizer {
 public:
  virtual ~Optimizer() = default;

  /// One update. The parameters must be the same list, in the same order, every time.
  virtual StepResult step(std::span<const mx::array> parameters,
                          std::span<const mx::array> gradients, const StepInputs& inputs) = 0;

  /// Arrays that belong to the state, by name ("m.0", "v.0", ...): for evaluation and checkpoints.
  virtual std::map<std::string, mx::array> state() const = 0;
  /// Puts a saved state back. Throws Error(kUserInput) if names or shapes do not fit the
  /// parameters.
  virtual void restore(const std::map<std::string, mx::array>& state,
                       std::span<const mx::array> parameters, int steps_done) = 0;
  virtual int steps_done() const = 0;
  /// The last step did nothing (its gradient was not finite): do not count it.
  virtual void undo_count() = 0;
};

/// How one parameter is treated.
struct ParameterRule {
  double rate_factor = 1.0;      // of the learning rate
  bool decays = true;            // takes part in weight decay
  bool orthogonalizable = true;  // a matrix that Muon may update as one
};

/// Each optimizer reads what it has; a beta or eps below 0 stands for the optimizer's own default.
struct OptimizerSettings {
  double beta1 = -1, beta2 = -1, eps = -1;
  double weight_decay = 0.0;
  double momentum = -1;  // of sgd and muon; below 0: 0 and 0.95
  bool nesterov = false;
  bool relative_step = false;        // adafactor: learning rate from the step's number
  bool scale_parameter = false;      // adafactor: and from the size of the parameter
  std::vector<ParameterRule> rules;  // one for each parameter; empty: all alike
};

/// By name. A further optimizer is one pair of files, one test and one line in optimizer.cpp.
std::unique_ptr<Optimizer> make_optimizer(const std::string& name,
                                          const OptimizerSettings& settings);
std::vector<std::string> optimizer_names();

}  // namespace toolkit::optim
