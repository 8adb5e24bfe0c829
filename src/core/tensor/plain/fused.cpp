#include "core/tensor/plain/fused.h"

#include "mlx/compile.h"
#include "mlx/device.h"

namespace toolkit::tensor::plain {

Fused::Fused(Ops ops) : ops_(ops), kernel_(mx::compile(ops, /*shapeless=*/true)) {}

Arrays Fused::operator()(const Arrays& inputs) const {
  return mx::default_device() == mx::Device::cpu ? ops_(inputs) : kernel_(inputs);
}

}  // namespace toolkit::tensor::plain
