#include "core/tensor/cache_append.h"

#include <algorithm>
#include <cstring>

#include "core/base/error.h"
#include "core/tensor/backend.h"
#include "mlx/allocator.h"
#include "mlx/backend/cpu/encoder.h"
#include "mlx/ops.h"
#include "mlx/primitives.h"
#include "mlx/utils.h"

namespace toolkit::tensor {

namespace {

/// Copies rows of (B, T, H, D), contiguous within a token, into a buffer at row `offset`.
void write_rows(const float* from, const mx::Strides& from_strides, const mx::Shape& shape,
                float* to, int64_t to_batch_stride, int offset) {
  const int64_t row = int64_t{shape[2]} * shape[3];
  for (int b = 0; b < shape[0]; ++b) {
    for (int t = 0; t < shape[1]; ++t) {
      float* target = to + b * to_batch_stride + (offset + t) * row;
      const float* source = from + b * from_strides[0] + t * from_strides[1];
      if (from_strides[3] == 1 && from_strides[2] == shape[3]) {
        std::memcpy(target, source, static_cast<size_t>(row) * sizeof(float));
        continue;
      }
      for (int h = 0; h < shape[2]; ++h)
        for (int d = 0; d < shape[3]; ++d)
          target[h * shape[3] + d] = source[h * from_strides[2] + d * from_strides[3]];
    }
  }
}

/// Inputs: key buffer, value buffer, new keys, new values. Outputs: both buffers with the rows
/// written (the same memory), then what attention reads of each. Whoever reads the rows depends on
/// this node.
class CacheAppend : public mx::Primitive {
 public:
  CacheAppend(mx::Stream stream, int offset) : Primitive(stream), offset_(offset) {}

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    auto& encoder = mx::cpu::get_command_encoder(stream());
    for (size_t i = 0; i < 2; ++i) {
      const mx::array& buffer = inputs[i];
      const mx::array& rows = inputs[i + 2];
      mx::array& view = outputs[i + 2];
      outputs[i].copy_shared_buffer(buffer);
      const bool dense = buffer.shape(0) == 1 || view.shape(1) == buffer.shape(1);
      view.copy_shared_buffer(buffer, buffer.strides(), {dense, dense, false},
                              dense ? view.size() : buffer.data_size());
      encoder.set_input_array(rows);
      encoder.set_output_array(outputs[i]);
      encoder.dispatch(
          [from = rows.data<float>(), strides = rows.strides(), shape = rows.shape(),
           to = outputs[i].data<float>(), batch_stride = int64_t{buffer.strides(0)},
           offset = offset_] { write_rows(from, strides, shape, to, batch_stride, offset); });
    }
  }
  void eval_gpu(const std::vector<mx::array>&, std::vector<mx::array>&) override {
    fail(ErrorKind::kInternal, "CacheAppend runs on the CPU only");
  }
  const char* name() const override { return "CacheAppend"; }

 private:
  int offset_;
};

mx::Shape with_rows(const mx::array& buffer, int rows) {
  mx::Shape shape = buffer.shape();
  shape[1] = rows;
  return shape;
}

mx::array updated(const mx::array& buffer, const mx::array& rows, int offset) {
  return mx::slice_update(buffer, rows, {0, offset, 0, 0},
                          with_rows(buffer, offset + rows.shape(1)));
}

}  // namespace

mx::array cache_grow(const mx::array& buffer, int length, int capacity) {
  const mx::array grown = mx::zeros(with_rows(buffer, capacity), buffer.dtype());
  mx::array result = mx::contiguous(grown);
  if (length == 0) return result;
  return updated(result, mx::slice(buffer, {0, 0, 0, 0}, with_rows(buffer, length)), 0);
}

std::pair<mx::array, mx::array> cache_append(mx::array& key_buffer, mx::array& value_buffer,
                                             const mx::array& keys, const mx::array& values,
                                             int offset) {
  const int rows = offset + keys.shape(1);
  if (rows > key_buffer.shape(1))
    fail(ErrorKind::kInternal, "{} rows do not fit a cache of {}", rows, key_buffer.shape(1));
  if (use_cpu_kernels()) {
    const mx::Shape whole = key_buffer.shape(), view = with_rows(key_buffer, rows);
    const auto primitive =
        std::make_shared<CacheAppend>(mx::default_stream(mx::Device::cpu), offset);
    const std::vector<mx::array> outputs = mx::array::make_arrays(
        {whole, whole, view, view}, std::vector<mx::Dtype>(4, mx::float32), primitive,
        {key_buffer, value_buffer, mx::astype(keys, mx::float32), mx::astype(values, mx::float32)});
    key_buffer = outputs[0];
    value_buffer = outputs[1];
    return {outputs[2], outputs[3]};
  }
  key_buffer = updated(key_buffer, keys, offset);
  value_buffer = updated(value_buffer, values, offset);
  return {mx::slice(key_buffer, {0, 0, 0, 0}, with_rows(key_buffer, rows)),
          mx::slice(value_buffer, {0, 0, 0, 0}, with_rows(value_buffer, rows))};
}

}  // namespace toolkit::tensor
