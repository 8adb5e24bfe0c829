#pragma once

#include <string>
#include <vector>

#include "core/base/fields.h"

namespace toolkit::export_model {

struct FuseConfig {
  std::string model, adapter, output;
  std::string dtype = "auto";     // auto, f32, f16, bf16
  std::string quantize = "none";  // none, 4, 8
  int group_size = 64;
  std::string data;  // rows to compare the losses on; may be empty
  int limit = 100;
  std::string compute = "f32";
};

struct ExportConfig {
  std::string model, adapter, output;
  std::string format;
  std::string type = "auto";
  int bits = 4, group_size = 64;
  bool keep_adapter = false;
};

Fields describe(FuseConfig& config);
Fields describe(ExportConfig& config);

/// Refuses what does not go together, before anything is read. Throws Error(kUserInput).
void check(const FuseConfig& config);
void check(const ExportConfig& config);

}  // namespace toolkit::export_model
