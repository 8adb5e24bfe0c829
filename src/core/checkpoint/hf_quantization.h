#pragma once

#include <map>
#include <string>

#include "core/base/json.h"
#include "core/tensor/linear.h"

namespace toolkit::checkpoint {

/// MLX's quantization settings of a config.json: for all modules, and for single ones.
class QuantizationSettings {
 public:
  struct Setting {
    int bits = 0;
    int group_size = 0;
  };

  /// Reads "quantization" (or "quantization_config" without a quant_method). Throws
  /// Error(kUnsupported) for other schemes (GPTQ, AWQ, fp8, MLX's fp modes), Error(kUserInput) for
  /// impossible numbers.
  QuantizationSettings(const Json& config, const std::string& source);

  /// Puts bits and group size into a weight that has scales, once all shapes fit together. Throws
  /// Error(kUserInput) naming the module.
  void apply(const std::string& module, tensor::Weight& weight) const;

 private:
  std::string source_;
  bool present_ = false;
  Setting common_;
  std::map<std::string, Setting> single_;
};

}  // namespace toolkit::checkpoint
