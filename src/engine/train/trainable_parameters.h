#pragma once

#include <span>
#include <string>
#include <vector>

#include "models/decoder.h"

namespace toolkit::engine {

/// The trainable arrays of a model with LoRA branches as one flat list, in model order: a and b of
/// every adapted layer. The list points into the model, which must outlive it.
class TrainableParameters {
 public:
  /// Throws Error(kInternal) if no layer has a branch.
  explicit TrainableParameters(models::Decoder& model);

  size_t size() const { return names_.size(); }
  /// "model.layers.0.self_attn.q_proj.lora_a", ...
  const std::vector<std::string>& names() const { return names_; }
  std::vector<mx::array> values() const;
  void assign(std::span<const mx::array> values);
  int64_t element_count() const;

 private:
  std::vector<std::string> names_;
  std::vector<mx::array*> slots_;
};

/// Puts other arrays (a trace's tracers) in place of the parameters while it lives.
class ParameterSwap {
 public:
  ParameterSwap(TrainableParameters& parameters, std::span<const mx::array> values)
      : parameters_(parameters), before_(parameters.values()) {
    parameters_.assign(values);
  }
  ~ParameterSwap() { parameters_.assign(before_); }
  ParameterSwap(const ParameterSwap&) = delete;
  ParameterSwap& operator=(const ParameterSwap&) = delete;

 private:
  TrainableParameters& parameters_;
  std::vector<mx::array> before_;
};

}  // namespace toolkit::engine
