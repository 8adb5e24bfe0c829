#pragma once

#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/checkpoint/adapter.h"

namespace toolkit::checkpoint {

/// One layout of adapters on disk.
struct AdapterFiles {
  const char* tensors;    // file name
  const char* prefix;     // before every module path
  const char *a, *b, *m;  // endings of its tensors
  bool transposed;        // a is (r, in) and b (out, r)
};
const AdapterFiles& files_of(AdapterLayout layout);
inline constexpr const char* kAdapterConfigFile = "adapter_config.json";

/// Reads a checked number of a configuration; throws Error(kUserInput) with file and key.
double config_number(const Json& object, const char* key, double low, double high,
                     const std::string& file);
int config_whole(const Json& object, const char* key, int low, int high, const std::string& file);
inline constexpr int kMostRank = 1 << 16;

/// adapter_config.json of mlx-lm; `rank_pattern` stands in its lora_parameters too, where mlx-lm
/// does not look.
Json mlx_adapter_config(const Adapter& adapter);
Adapter read_mlx_adapter_config(const Json& config, const std::string& file);

/// adapter_config.json of PEFT. Its patterns are resolved for `modules`, the modules of the tensor
/// file. Throws Error(kUnsupported) for what changes the arithmetic and is not known here.
Json peft_adapter_config(const Adapter& adapter);
Adapter read_peft_adapter_config(const Json& config, const std::vector<std::string>& modules,
                                 const std::string& file);

/// "model.layers.3.mlp.up_proj" -> "mlp.up_proj"; the path itself outside of layers.
std::string path_in_layer(const std::string& module);
/// Its layer; -1 outside of layers.
int layer_of(const std::string& module);

}  // namespace toolkit::checkpoint
