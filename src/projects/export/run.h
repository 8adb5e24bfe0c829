#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/checkpoint/write/converted_model.h"
#include "projects/export/config.h"
#include "projects/export/loss_check.h"

namespace toolkit::export_model {

struct Result {
  std::filesystem::path output;
  uint64_t size_bytes = 0;                      // of all files written
  std::vector<std::string> files;               // names in a folder that was written
  std::optional<checkpoint::MergeLoss> merged;  // of an adapter that went into the weights
  std::optional<LossCheck> losses;
  std::vector<std::string> notes;
};

/// Merges an adapter into its model and writes a Hugging Face folder.
Result fuse(const FuseConfig& config, bool quiet);

/// Writes a model or an adapter in the form of another program.
Result export_model(const ExportConfig& config, bool quiet);

}  // namespace toolkit::export_model
