#include "core/checkpoint/write/gguf_tensors.h"

#include <cstring>

#include "core/base/error.h"
#include "core/checkpoint/ggml_blocks.h"
#include "core/checkpoint/ggml_types.h"
#include "core/checkpoint/half.h"
#include "core/checkpoint/new_array.h"
#include "core/checkpoint/write/ggml_quantize.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace toolkit::checkpoint {

namespace {

constexpr int kBlock = 32;

mx::array in_memory(const mx::array& array) {
  mx::array result = mx::contiguous(array);
  result.eval();
  return result;
}

bool same_numbers(const mx::array& a, const mx::array& b) {
  return mx::all(mx::equal(a, b)).item<bool>();
}

/// What the bias of every group is in a type that has none.
mx::array implied_bias(const mx::array& scales, uint32_t type) {
  const float zero = type == kGgmlQ8_0 ? -128.0f : -8.0f;
  return mx::astype(mx::multiply(mx::astype(scales, mx::float32), mx::array(zero)), mx::float16);
}

/// Blocks from groups: the reverse of blocks_to_affine.
void groups_to_blocks(uint32_t type, const AffineGroups& groups, uint64_t block_count,
                      uint64_t blocks_per_group, uint8_t* blocks) {
  const uint32_t block_bytes = find_ggml_type(type)->block_bytes;
  for (uint64_t i = 0; i < block_count; ++i, blocks += block_bytes) {
    std::memcpy(blocks, &groups.scales[i / blocks_per_group], 2);
    uint8_t* to = blocks + 2;
    if (type == kGgmlQ8_0) {
      for (int j = 0; j < kBlock; ++j) to[j] = groups.quants[kBlock * i + j] ^ 0x80u;
      continue;
    }
    if (type == kGgmlQ4_1) {
      std::memcpy(to, &groups.biases[i / blocks_per_group], 2);
      to += 2;
    }
    const uint8_t* from = groups.quants + kBlock / 2 * i;
    const auto quant = [&](int j) { return (from[j / 2] >> (j % 2 * 4)) & 0x0Fu; };
    for (int j = 0; j < kBlock / 2; ++j)
      to[j] = static_cast<uint8_t>(quant(j) | (quant(j + kBlock / 2) << 4));
  }
}

}  // namespace

tensor::Weight quantized_by_ggml(const mx::array& values, uint32_t type,
                                 const std::string& module) {
  const mx::array dense = in_memory(mx::astype(values, mx::float32));
  const int rows = dense.shape(0), columns = dense.shape(1), bits = affine_bits(type);
  const uint64_t blocks = dense.size() / kBlock;
  std::vector<uint8_t> packed(blocks * find_ggml_type(type)->block_bytes);
  if (!quantize_blocks(type, dense.data<float>(), blocks, packed.data()))
    fail(ErrorKind::kUserInput,
         "'{}' holds a value that is infinite, NaN or too large for {}: the model cannot be "
         "written in this form",
         module, ggml_type_name(type));
  NewArray data = new_array({rows, columns / 32 * bits}, mx::uint32);
  NewArray scales = new_array({rows, columns / kBlock}, mx::float16);
  NewArray biases = new_array({rows, columns / kBlock}, mx::float16);
  blocks_to_affine(type, packed.data(), blocks,
                   {static_cast<uint8_t*>(data.data), static_cast<uint16_t*>(scales.data),
                    static_cast<uint16_t*>(biases.data)});
  return {data.array, scales.array, biases.array, kBlock, bits};
}

std::optional<uint32_t> exact_block_type(const tensor::Weight& weight) {
  if (!weight.quantized() || weight.group_size % kBlock != 0) return std::nullopt;
  if (weight.bits != 4 && weight.bits != 8) return std::nullopt;
  const mx::array scales = mx::astype(*weight.scales, mx::float16);
  const mx::array biases = mx::astype(*weight.biases, mx::float16);
  if (!same_numbers(scales, *weight.scales) || !same_numbers(biases, *weight.biases))
    return std::nullopt;
  const uint32_t type = weight.bits == 8 ? kGgmlQ8_0 : kGgmlQ4_0;
  if (same_numbers(biases, implied_bias(scales, type))) return type;
  return weight.bits == 4 ? std::optional<uint32_t>(kGgmlQ4_1) : std::nullopt;
}

std::vector<uint8_t> gguf_bytes(const tensor::Weight& weight, uint32_t type) {
  if (!weight.quantized()) {
    const mx::Dtype dtype = type == kGgmlF32   ? mx::float32
                            : type == kGgmlF16 ? mx::float16
                                               : mx::bfloat16;
    const mx::array data = in_memory(mx::astype(weight.data, dtype));
    const auto* bytes = data.data<uint8_t>();
    return {bytes, bytes + data.nbytes()};
  }
  const mx::array data = in_memory(weight.data);
  const mx::array scales = in_memory(mx::astype(*weight.scales, mx::float16));
  const mx::array biases = in_memory(mx::astype(*weight.biases, mx::float16));
  const uint64_t values = static_cast<uint64_t>(weight.rows()) * weight.columns();
  const uint64_t blocks = values / kBlock;
  std::vector<uint8_t> bytes(blocks * find_ggml_type(type)->block_bytes);
  // The arrays are only read here; AffineGroups serves both directions.
  groups_to_blocks(
      type,
      {const_cast<uint8_t*>(data.data<uint8_t>()), const_cast<uint16_t*>(scales.data<uint16_t>()),
       const_cast<uint16_t*>(biases.data<uint16_t>())},
      blocks, static_cast<uint64_t>(weight.group_size / kBlock), bytes.data());
  return bytes;
}

uint32_t dense_ggml_type(mx::Dtype dtype) {
  if (dtype == mx::float32) return kGgmlF32;
  return dtype == mx::bfloat16 ? kGgmlBF16 : kGgmlF16;
}

}  // namespace toolkit::checkpoint
