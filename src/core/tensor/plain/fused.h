#pragma once

#include <functional>
#include <vector>

#include "core/tensor/array_fwd.h"
#include "mlx/array.h"

namespace toolkit::tensor::plain {

using Arrays = std::vector<mx::array>;

/// A function of elementwise ops whose numbers are all inputs, as one kernel. Only on Metal and
/// CUDA: on the CPU MLX would call a C++ compiler at run time, so there the ops run one by one.
class Fused {
 public:
  using Ops = Arrays (*)(const Arrays&);
  explicit Fused(Ops ops);
  Arrays operator()(const Arrays& inputs) const;

 private:
  Ops ops_;
  std::function<Arrays(const Arrays&)> kernel_;
};

}  // namespace toolkit::tensor::plain
