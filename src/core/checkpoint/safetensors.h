#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/tensor/array_fwd.h"
#include "mlx/array.h"
#include "mlx/dtype.h"

namespace mx = mlx::core;

namespace toolkit::checkpoint {

struct SafetensorsEntry {
  std::string dtype;  // "F32", "BF16", ...
  std::vector<int64_t> shape;
  uint64_t begin = 0, end = 0;  // bytes, from the start of the file
};

struct SafetensorsHeader {
  std::map<std::string, SafetensorsEntry> tensors;
  std::map<std::string, std::string> metadata;
};

/// Parses and checks a whole header by the rules of safetensors 0.8: size limit 100 MB, contiguous
/// data without holes or overlap, the whole file covered, no duplicate keys, sizes that match dtype
/// and shape without overflow, dimensions that fit MLX's int32. `header_and_size` is the start of
/// the file. Throws Error(kUserInput) with what was expected and found. Never trusts a length.
SafetensorsHeader parse_safetensors_header(std::span<const uint8_t> start_of_file,
                                           uint64_t file_size, const std::string& file_name);

/// Reads and checks the header of a file. Throws Error(kNotFound | kUserInput | kIo).
SafetensorsHeader read_safetensors_header(const std::filesystem::path& path);

/// Reads one tensor into its own MLX array. Throws Error(kUnsupported) for a dtype that MLX has not
/// (the 8, 6 and 4 bit floats), Error(kUserInput) if the file became shorter.
mx::array load_safetensors_tensor(const std::filesystem::path& path, const std::string& name,
                                  const SafetensorsEntry& entry);

/// Reads a checked file. Each tensor is read into its own MLX array (no mapping stays behind).
/// `wanted` limits which names are read; empty: all.
std::unordered_map<std::string, mx::array> load_safetensors(
    const std::filesystem::path& path, const std::function<bool(const std::string&)>& wanted = {});

/// A tensor that is to stand in a file, in the order of the file.
struct PlannedTensor {
  std::string name;
  mx::Dtype dtype;
  mx::Shape shape;

  uint64_t size_bytes() const;
};

/// The start of a file with these tensors, up to the first byte of data.
std::string safetensors_start(const std::vector<PlannedTensor>& tensors,
                              const std::map<std::string, std::string>& metadata);

/// Writes to a temporary name in the same folder, syncs, renames.
void save_safetensors(const std::filesystem::path& path,
                      const std::map<std::string, mx::array>& tensors,
                      const std::map<std::string, std::string>& metadata = {});

}  // namespace toolkit::checkpoint
