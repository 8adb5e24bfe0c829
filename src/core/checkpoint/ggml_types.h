#pragma once

#include <cstdint>

namespace toolkit::checkpoint {

/// Numbers of ggml's tensor types, as they stand in a GGUF file.
enum GgmlType : uint32_t {
  kGgmlF32 = 0,
  kGgmlF16 = 1,
  kGgmlQ4_0 = 2,
  kGgmlQ4_1 = 3,
  kGgmlQ5_0 = 6,
  kGgmlQ5_1 = 7,
  kGgmlQ8_0 = 8,
  kGgmlQ2_K = 10,
  kGgmlQ3_K = 11,
  kGgmlQ4_K = 12,
  kGgmlQ5_K = 13,
  kGgmlQ6_K = 14,
  kGgmlQ8_K = 15,
  kGgmlIQ4_NL = 20,
  kGgmlIQ4_XS = 23,
  kGgmlBF16 = 30,
};

/// How a type lies in a file: `block_size` values in `block_bytes` bytes.
struct GgmlTypeInfo {
  uint32_t type;
  const char* name;
  uint32_t block_size;
  uint32_t block_bytes;
};

/// Every type of the GGUF specification, readable here or not; null for a number it does not have.
const GgmlTypeInfo* find_ggml_type(uint32_t type);

}  // namespace toolkit::checkpoint
