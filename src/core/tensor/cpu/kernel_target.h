#pragma once

#include <string>
#include <vector>

namespace toolkit::tensor::cpu {

/// Name of the instruction set the kernels run with: "AMX" (AVX-512 and Intel's tile products),
/// "AVX3" (AVX-512), "AVX2", "NEON", "EMU128".
std::string kernel_target();

/// Whether kernel_target() is "AMX". The first call asks the kernel to let this process use tiles.
bool uses_amx();

/// Those that were compiled and that this machine can run, best first.
std::vector<std::string> kernel_targets();

/// Restricts the kernels to one instruction set; an empty name means the best again. The variable
/// MLX_TOOLKIT_TARGET does the same at program start. Throws Error(kUserInput) naming those there
/// are.
void force_kernel_target(const std::string& name);

}  // namespace toolkit::tensor::cpu
