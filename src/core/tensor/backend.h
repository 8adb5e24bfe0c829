#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace toolkit::tensor {

/// Arithmetic of the linear layers. Exact is the default.
enum class Compute {
  kFloat32,   // f32 products and sums
  kBFloat16,  // bf16 inputs, f32 sums
  kInt8,      // frozen weights and activations in int8, a scale per row and 64 columns
};

Compute compute_from_name(const std::string& name);  // "f32" | "bf16" | "int8"; throws Error
const char* compute_name(Compute compute);

/// True when ops run on our own CPU primitives: MLX's default device is the CPU and the kernels
/// were built. False on Metal and CUDA, and after `use_plain_graph(true)`. The only place (with
/// core/platform) where the device matters.
bool use_cpu_kernels();

/// Tests and benchmarks: send every op through the plain MLX graph instead.
void use_plain_graph(bool plain);

/// The instruction set the CPU kernels run with: "AVX3" (AVX-512), "AVX2", "NEON", ..., "plain".
std::string cpu_kernel_target();

/// The most bytes that arrays held at once on a GPU with memory of its own or shared (Metal, CUDA);
/// nothing on the CPU, whose arrays are part of the process's memory.
std::optional<int64_t> peak_device_bytes();

/// Buffers of freed arrays that MLX keeps for the next ones: part of the process's memory, at most
/// 32 MB on the CPU (MLX 0.32).
int64_t cached_bytes();

/// Gives the memory of freed arrays back to the system: after a model was freed, never between
/// steps, which find the blocks of the step before.
void give_memory_back();

/// Call once at program start, before the first array: makes the C allocator keep and reuse the
/// large blocks that MLX's CPU allocator asks for (each would otherwise be mapped anew), and picks
/// the device.
void initialize();

}  // namespace toolkit::tensor
