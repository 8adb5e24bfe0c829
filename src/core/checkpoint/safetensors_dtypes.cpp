#include "core/checkpoint/safetensors_dtypes.h"

#include "core/base/error.h"

namespace toolkit::checkpoint {

namespace {

struct DtypeRow {
  const char* name;
  uint32_t bits;
  std::optional<mx::Dtype> mlx;
};

const DtypeRow kRows[] = {
    {"BOOL", 8, mx::bool_},
    {"U8", 8, mx::uint8},
    {"I8", 8, mx::int8},
    {"U16", 16, mx::uint16},
    {"I16", 16, mx::int16},
    {"F16", 16, mx::float16},
    {"BF16", 16, mx::bfloat16},
    {"U32", 32, mx::uint32},
    {"I32", 32, mx::int32},
    {"F32", 32, mx::float32},
    {"U64", 64, mx::uint64},
    {"I64", 64, mx::int64},
    {"F64", 64, mx::float64},
    {"C64", 64, mx::complex64},
    {"F4", 4, std::nullopt},
    {"F6_E2M3", 6, std::nullopt},
    {"F6_E3M2", 6, std::nullopt},
    {"F8_E5M2", 8, std::nullopt},
    {"F8_E4M3", 8, std::nullopt},
    {"F8_E8M0", 8, std::nullopt},
    {"F8_E4M3FNUZ", 8, std::nullopt},
    {"F8_E5M2FNUZ", 8, std::nullopt},
};

}  // namespace

std::optional<uint32_t> safetensors_bits(const std::string& dtype) {
  for (const DtypeRow& row : kRows)
    if (dtype == row.name) return row.bits;
  return std::nullopt;
}

std::optional<mx::Dtype> mlx_dtype(const std::string& dtype) {
  for (const DtypeRow& row : kRows)
    if (dtype == row.name) return row.mlx;
  return std::nullopt;
}

const char* safetensors_name(mx::Dtype dtype) {
  for (const DtypeRow& row : kRows)
    if (row.mlx && *row.mlx == dtype) return row.name;
  fail(ErrorKind::kInternal, "an array of an unknown type cannot be written as safetensors");
}

}  // namespace toolkit::checkpoint
