#include "core/tensor/backend.h"

#include <atomic>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include "core/base/error.h"
#include "core/tensor/array_fwd.h"
#include "mlx/device.h"

namespace toolkit::tensor {

namespace {
std::atomic<bool> plain_graph{false};
}

Compute compute_from_name(const std::string& name) {
  if (name == "f32") return Compute::kFloat32;
  if (name == "bf16") return Compute::kBFloat16;
  if (name == "int8") return Compute::kInt8;
  fail(ErrorKind::kUserInput, "compute must be f32, bf16 or int8, not '{}'", name);
}

const char* compute_name(Compute compute) {
  switch (compute) {
    case Compute::kFloat32: return "f32";
    case Compute::kBFloat16: return "bf16";
    case Compute::kInt8: return "int8";
  }
  return "f32";
}

bool use_cpu_kernels() {
#ifdef TOOLKIT_CPU_KERNELS
  return !plain_graph && mx::default_device() == mx::Device::cpu;
#else
  return false;
#endif
}

void use_plain_graph(bool plain) { plain_graph = plain; }

void initialize() {
#if defined(__GLIBC__)
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
}

}  // namespace toolkit::tensor
