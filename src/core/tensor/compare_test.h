#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "core/tensor/backend.h"
#include "mlx/mlx.h"
#ifdef TOOLKIT_CPU_KERNELS
#include "core/tensor/cpu/kernel_target.h"
#endif

/// Shared by the tests of this folder: our kernels against the plain MLX graph.
namespace toolkit::tensor::test {

using Arrays = std::vector<mx::array>;
using Function = std::function<Arrays(const Arrays&)>;

inline mx::array random_array(const mx::Shape& shape, int seed, float scale = 1.0f) {
  return mx::multiply(mx::random::normal(shape, mx::float32, 0.0f, 1.0f,
                                         mx::random::key(static_cast<uint64_t>(seed))),
                      mx::array(scale));
}

/// Tests of what only our CPU kernels do run on the CPU, whatever MLX's default device is.
class OnCpu {
 public:
  OnCpu() : own_(mx::default_device()) { mx::set_default_device(mx::Device::cpu); }
  ~OnCpu() { mx::set_default_device(own_); }
  OnCpu(const OnCpu&) = delete;
  OnCpu& operator=(const OnCpu&) = delete;

 private:
  mx::Device own_;
};

/// Largest |a - b| over the largest |b|, or over 0.3 where all of b is smaller.
inline float relative_error(const mx::array& a, const mx::array& b) {
  REQUIRE(a.shape() == b.shape());
  mx::array gap = mx::max(mx::abs(mx::subtract(a, b))), largest = mx::max(mx::abs(b));
  const float size = largest.item<float>();
  return gap.item<float>() / std::max(size, 0.3f);
}

/// Values and gradients (for the first `differentiable` inputs, against random cotangents).
inline Arrays values_and_gradients(const Function& function, const Arrays& inputs,
                                   size_t differentiable) {
  const Arrays first(inputs.begin(), inputs.begin() + static_cast<std::ptrdiff_t>(differentiable));
  const auto partial = [&](const Arrays& moving) {
    Arrays all = moving;
    all.insert(all.end(), inputs.begin() + static_cast<std::ptrdiff_t>(differentiable),
               inputs.end());
    return function(all);
  };
  Arrays cotangents;
  int seed = 1000;
  for (const mx::array& value : partial(first))
    cotangents.push_back(random_array(value.shape(), ++seed));
  auto [values, gradients] = mx::vjp(partial, first, cotangents);
  values.insert(values.end(), gradients.begin(), gradients.end());
  mx::eval(values);
  return values;
}

/// Runs `function` through the plain graph, on the GPU where there is one, and then on the CPU with
/// the kernels of every instruction set here.
inline void compare_with_plain(const Function& function, const Arrays& inputs,
                               size_t differentiable, float tolerance = 2e-5f) {
#ifdef TOOLKIT_CPU_KERNELS
  use_plain_graph(true);
  const Arrays wanted = values_and_gradients(function, inputs, differentiable);
  use_plain_graph(false);
  const OnCpu on_cpu;
  for (const std::string& target : cpu::kernel_targets()) {
    cpu::force_kernel_target(target);
    CAPTURE(target);
    REQUIRE(cpu_kernel_target() == target);
    const Arrays found = values_and_gradients(function, inputs, differentiable);
    for (size_t i = 0; i < found.size(); ++i) {
      CAPTURE(i);
      CHECK(relative_error(found[i], wanted[i]) < tolerance);
    }
  }
  cpu::force_kernel_target("");
#else
  (void)tolerance;
  values_and_gradients(function, inputs, differentiable);
#endif
}

}  // namespace toolkit::tensor::test
