#include "engine/measure/choose_compute.h"

#include <algorithm>

namespace toolkit::engine {

namespace {

constexpr double kInt8Advantage = 1.2;

}  // namespace

tensor::Compute fastest_compute(const MachineRates& rates) {
  const auto rate = [&](const char* name) {
    const auto found = rates.linear.find(name);
    return found == rates.linear.end() ? 0.0 : found->second;
  };
  if (rate("int8") > kInt8Advantage * std::max(rate("f32"), rate("bf16")))
    return tensor::Compute::kInt8;
  return rate("bf16") > rate("f32") ? tensor::Compute::kBFloat16 : tensor::Compute::kFloat32;
}

tensor::Compute choose_compute(const std::string& name) {
  return name == "auto" ? fastest_compute(machine_rates()) : tensor::compute_from_name(name);
}

}  // namespace toolkit::engine
