#pragma once

#include <span>
#include <string>
#include <vector>

#include "models/decoder.h"

namespace toolkit::engine {

/// What a trained array is to its layer. Optimizers treat roles differently: LoRA+ gives kLoraB a
/// higher learning rate, weight decay leaves out norms, biases and magnitudes.
enum class ParameterRole { kLoraA, kLoraB, kMagnitude, kEmbedding, kNorm, kBias, kMatrix };

struct ParameterInfo {
  std::string name;  // "model.layers.0.self_attn.q_proj.lora_a", "model.norm.weight", ...
  ParameterRole role;
};

/// The trainable arrays of a model as one flat list, in model order: the branches of every adapted
/// layer, then those of the model's own arrays that are trained (Decoder::trained). The list points
/// into the model, which must outlive it.
class TrainableParameters {
 public:
  /// Throws Error(kInternal) if nothing is trained.
  explicit TrainableParameters(models::Decoder& model);

  size_t size() const { return infos_.size(); }
  const std::vector<ParameterInfo>& infos() const { return infos_; }
  const std::vector<std::string>& names() const { return names_; }  // of infos()
  std::vector<mx::array> values() const;
  void assign(std::span<const mx::array> values);
  int64_t element_count() const;

 private:
  void add(std::string name, ParameterRole role, std::vector<mx::array*> places);

  std::vector<ParameterInfo> infos_;
  std::vector<std::string> names_;
  std::vector<std::vector<mx::array*>> slots_;  // a tied embedding lies in two places
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
