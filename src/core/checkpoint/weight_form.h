#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/checkpoint/model_files.h"
#include "core/tensor/linear.h"
#include "core/text/gguf_tokenizer.h"
#include "mlx/array.h"
#include "mlx/dtype.h"

namespace mx = mlx::core;

namespace toolkit::checkpoint {

/// What a weight is, told before it is read.
struct WeightForm {
  mx::Shape shape;               // of the values: (out, in), or (n) of a norm
  mx::Dtype dtype;               // of the values, or of the scales
  int bits = 0, group_size = 0;  // of MLX's affine groups; 0: dense
  /// The GGUF type whose blocks these groups are; of no meaning for a dense weight.
  std::optional<uint32_t> block_type = std::nullopt;

  bool packed() const { return bits > 0; }
  int64_t elements() const;
  /// In memory as it was loaded: packed values with a scale and a bias for each group.
  int64_t bytes() const;
};

/// What some ModelFiles know besides, from their headers.
class KnownForms {
 public:
  virtual ~KnownForms() = default;
  virtual std::optional<WeightForm> known_form(const std::string& module) const = 0;
  /// The tokenizer as GGUF has it, when that is where the model came from.
  virtual std::optional<text::GgufVocabulary> gguf_vocabulary() const { return std::nullopt; }
};

WeightForm form_of(const tensor::Weight& weight);

/// The form of a module's weight. Reads the weight itself unless the headers tell.
WeightForm form_of(const ModelFiles& model, const std::string& module);

std::optional<text::GgufVocabulary> gguf_vocabulary_of(const ModelFiles& model);

}  // namespace toolkit::checkpoint
