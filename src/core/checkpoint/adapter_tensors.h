#pragma once

#include <string>
#include <vector>

#include "core/checkpoint/adapter.h"
#include "core/checkpoint/adapter_config.h"
#include "core/checkpoint/safetensors.h"

namespace toolkit::checkpoint {

/// One tensor of an adapter file, by what its name says.
struct AdapterTensor {
  enum class Role { kA, kB, kMagnitude, kWeight, kBias, kUnknown };
  Role role = Role::kUnknown;
  std::string stored;  // its name in the file
  std::string module;  // "model.layers.0.self_attn.q_proj"
  std::string name;    // in Adapter::tensors
  SafetensorsEntry entry;
};

std::vector<AdapterTensor> adapter_tensors(const SafetensorsHeader& header,
                                           const AdapterFiles& files);

/// The modules they belong to, in model order.
std::vector<std::string> modules_of(const std::vector<AdapterTensor>& tensors);

/// Names: known, pairs complete, a magnitude for each in DoRA and nowhere else, every key in every
/// layer. Shapes: the rank of the configuration. Throws Error(kUserInput) with all that is wrong.
void check_adapter_tensors(const std::vector<AdapterTensor>& tensors, const Adapter& adapter,
                           const AdapterFiles& files, const std::string& file);

/// A loaded tensor with the shape it has in Adapter::tensors. Throws Error(kUserInput) if the part
/// beyond a smaller rank is not zero.
mx::array as_in_memory(const mx::array& stored, const AdapterTensor& tensor, const Adapter& adapter,
                       const AdapterFiles& files);

}  // namespace toolkit::checkpoint
