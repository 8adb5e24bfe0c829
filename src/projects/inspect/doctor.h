#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/platform/hardware.h"
#include "engine/measure/machine_rates.h"

namespace toolkit::inspect {

/// Something that is not there, and the next step.
struct Finding {
  std::string what, remedy;
};

/// What `doctor` found out.
struct Report {
  platform::Hardware hardware;
  int64_t available_bytes = 0;
  std::string toolkit_version, mlx_version, backend;  // backend: "CPU", "Metal", "CUDA"
  std::string kernels;                                // "AVX3", ..., "plain"
  std::optional<engine::MachineRates> measured;
  std::string compute;  // what --compute auto picks; empty: not measured
  std::string log_file;
  std::vector<Finding> findings;
};

/// The page for people, and the object of --json.
std::string to_page(const Report& report, bool color);
nlohmann::json to_json(const Report& report);

/// "AVX3" as "AVX-512 (AVX3)"; others as they are, "plain" as MLX's own.
std::string kernel_text(const std::string& target);

}  // namespace toolkit::inspect
