#include "core/tensor/backend.h"

#include <atomic>
#include <cstdlib>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include "core/base/error.h"
#include "core/tensor/array_fwd.h"
#include "mlx/device.h"
#include "mlx/memory.h"
#ifdef TOOLKIT_CPU_KERNELS
#include "core/tensor/cpu/kernel_target.h"
#endif

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
    case Compute::kFloat32:
      return "f32";
    case Compute::kBFloat16:
      return "bf16";
    case Compute::kInt8:
      return "int8";
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

void use_plain_graph(bool plain) {
  plain_graph = plain;
}

std::string cpu_kernel_target() {
#ifdef TOOLKIT_CPU_KERNELS
  if (use_cpu_kernels()) return cpu::kernel_target();
#endif
  return "plain";
}

std::optional<int64_t> peak_device_bytes() {
  if (mx::default_device() == mx::Device::cpu) return std::nullopt;
  return static_cast<int64_t>(mx::get_peak_memory());
}

int64_t cached_bytes() {
  return static_cast<int64_t>(mx::get_cache_memory());
}

void give_memory_back() {
  mx::clear_cache();
#if defined(__GLIBC__)
  ::malloc_trim(0);
#endif
}

namespace {

// MLX's CPU allocator is plain malloc, called from the main thread and freed on the stream's: one
// arena that never maps single blocks and gives no memory back by itself lets every step find the
// blocks of the step before, without page faults.
void keep_large_blocks() {
#if defined(__GLIBC__)
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_ARENA_MAX, 1);
#endif
}

}  // namespace

void initialize() {
  keep_large_blocks();
  mx::set_default_device(mx::is_available(mx::Device::gpu) ? mx::Device::gpu : mx::Device::cpu);
#ifdef TOOLKIT_CPU_KERNELS
  if (const char* target = std::getenv("MLX_TOOLKIT_TARGET")) cpu::force_kernel_target(target);
#endif
}

}  // namespace toolkit::tensor
