#pragma once

#include <filesystem>

#include "engine/evaluate/evaluate.h"
#include "projects/export/config.h"

namespace toolkit::export_model {

/// The loss of the model with its adapter, and of the fused model that was read back, on the same
/// rows.
struct LossCheck {
  engine::Estimate before, after, difference;  // after - before
  int rows = 0;
};

LossCheck check_losses(const FuseConfig& config, const std::filesystem::path& fused, bool quiet);

}  // namespace toolkit::export_model
