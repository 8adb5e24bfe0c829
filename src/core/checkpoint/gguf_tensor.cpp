#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/checkpoint/ggml_blocks.h"
#include "core/checkpoint/ggml_types.h"
#include "core/checkpoint/gguf_tensor.h"
#include "core/checkpoint/input_file.h"
#include "core/checkpoint/new_array.h"

namespace toolkit::checkpoint {

namespace {

constexpr uint64_t kBytesAtOnce = uint64_t{1} << 20;

/// Reads a tensor's blocks piece by piece, so that the packed and the converted form never both lie
/// whole in memory.
template <class Convert>
void for_each_piece(const InputFile& file, const GgufTensor& tensor, const GgmlTypeInfo& info,
                    Convert&& convert) {
  const uint64_t blocks = tensor.size_bytes / info.block_bytes;
  const uint64_t most = kBytesAtOnce / info.block_bytes;
  std::vector<uint8_t> bytes(std::min(blocks, most) * info.block_bytes);
  for (uint64_t first = 0; first < blocks; first += most) {
    const uint64_t count = std::min(most, blocks - first);
    file.read(tensor.begin + first * info.block_bytes, bytes.data(), count * info.block_bytes);
    if (!convert(first, count, bytes.data()))
      fail(ErrorKind::kUserInput,
           "{}: tensor '{}' of type {} holds a value that is infinite, NaN or too large for f16; "
           "the file "
           "is damaged: copy or download it again",
           file.name(), tensor.name, info.name);
  }
}

mx::Shape mlx_shape(const GgufTensor& tensor) {
  mx::Shape shape;
  for (const int64_t size : tensor.shape) shape.push_back(static_cast<mx::ShapeElem>(size));
  return shape;
}

tensor::Weight load_dense(const InputFile& file, const GgufTensor& tensor, mx::Dtype dtype) {
  NewArray result = new_array(mlx_shape(tensor), dtype);
  file.read(tensor.begin, result.data, tensor.size_bytes);
  return {result.array, std::nullopt, std::nullopt, 0, 0};
}

tensor::Weight load_affine(const InputFile& file, const GgufTensor& tensor,
                           const GgmlTypeInfo& info) {
  const int bits = affine_bits(tensor.type);
  const uint64_t group_bytes = static_cast<uint64_t>(4 * bits);
  mx::Shape packed = mlx_shape(tensor), groups = packed;
  packed.back() = packed.back() / 32 * bits;
  groups.back() = groups.back() / 32;
  NewArray data = new_array(packed, mx::uint32);
  NewArray scales = new_array(groups, mx::float16), biases = new_array(groups, mx::float16);
  for_each_piece(file, tensor, info, [&](uint64_t first, uint64_t count, const uint8_t* bytes) {
    return blocks_to_affine(
        tensor.type, bytes, count,
        {static_cast<uint8_t*>(data.data) + first * group_bytes,
         static_cast<uint16_t*>(scales.data) + first, static_cast<uint16_t*>(biases.data) + first});
  });
  return {data.array, scales.array, biases.array, 32, bits};
}

tensor::Weight load_as_half(const InputFile& file, const GgufTensor& tensor,
                            const GgmlTypeInfo& info) {
  NewArray result = new_array(mlx_shape(tensor), mx::float16);
  for_each_piece(file, tensor, info, [&](uint64_t first, uint64_t count, const uint8_t* bytes) {
    return blocks_to_half(tensor.type, bytes, count,
                          static_cast<uint16_t*>(result.data) + first * info.block_size);
  });
  return {result.array, std::nullopt, std::nullopt, 0, 0};
}

}  // namespace

tensor::Weight load_gguf_tensor(const std::filesystem::path& path, const GgufTensor& tensor) {
  const InputFile file(path);
  const GgmlTypeInfo* info = find_ggml_type(tensor.type);
  if (tensor.type == kGgmlF32) return load_dense(file, tensor, mx::float32);
  if (tensor.type == kGgmlF16) return load_dense(file, tensor, mx::float16);
  if (tensor.type == kGgmlBF16) return load_dense(file, tensor, mx::bfloat16);
  if (info && has_affine_form(tensor.type)) return load_affine(file, tensor, *info);
  if (info && has_half_form(tensor.type)) return load_as_half(file, tensor, *info);
  fail(ErrorKind::kUnsupported,
       "{}: tensor '{}' has type {} (number {}); readable are F32, F16, BF16, Q4_0, Q4_1, Q5_0, "
       "Q5_1, Q8_0, "
       "Q2_K to Q6_K, Q8_K, IQ4_NL and IQ4_XS. Get the model in one of these",
       file.name(), tensor.name, ggml_type_name(tensor.type), tensor.type);
}

}  // namespace toolkit::checkpoint
