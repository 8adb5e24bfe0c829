#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace toolkit::checkpoint {

using GgufValue = std::variant<uint64_t, int64_t, double, bool, std::string, std::vector<int64_t>,
                               std::vector<double>, std::vector<std::string>>;

struct GgufTensor {
  std::string name;
  uint32_t type = 0;                   // ggml type number
  std::vector<int64_t> shape;          // row-major: (out, in), the reverse of the file's order
  uint64_t begin = 0, size_bytes = 0;  // from the start of the file
};

/// A GGUF file's header, fully checked: magic, version 2 or 3, counts, string lengths, types,
/// alignment, tensor extents inside the file and without overlap, no duplicates.
struct GgufHeader {
  uint32_t version = 3;
  std::map<std::string, GgufValue> metadata;
  std::vector<GgufTensor> tensors;

  std::optional<std::string> text(const std::string& key) const;
  std::optional<int64_t> integer(const std::string& key) const;
  std::optional<double> number(const std::string& key) const;
  const std::vector<std::string>* texts(const std::string& key) const;
};

/// Parses a header from the start of a file. Throws Error(kUserInput): file, offset, expected,
/// found.
GgufHeader parse_gguf_header(std::span<const uint8_t> start_of_file, uint64_t file_size,
                             const std::string& file_name);

GgufHeader read_gguf_header(const std::filesystem::path& path);

const char* ggml_type_name(uint32_t type);  // "Q4_1", ...; "unknown" if it is

}  // namespace toolkit::checkpoint
