#include "core/tensor/cpu/primitive.h"

#include <cstring>

#include "core/base/error.h"
#include "mlx/device.h"
#include "mlx/stream.h"

namespace toolkit::tensor::cpu {

CpuPrimitive::CpuPrimitive() : mx::Primitive(mx::default_stream(mx::default_device())) {}

void CpuPrimitive::eval_gpu(const std::vector<mx::array>&, std::vector<mx::array>&) {
  fail(ErrorKind::kInternal, "{}: a CPU primitive was sent to a GPU stream", name());
}

void allocate(mx::array& out) {
  out.set_data(mx::allocator::malloc(out.nbytes()));
}

void allocate_or_reuse(mx::array& out, const mx::array& donor) {
  if (donor.is_donatable() && donor.flags().row_contiguous && donor.nbytes() == out.nbytes() &&
      donor.data_size() == donor.size()) {
    out.copy_shared_buffer(donor, out.strides(), out.flags(), out.size());
  } else {
    allocate(out);
  }
}

void release_inputs_of_siblings(const std::vector<mx::array>& inputs,
                                std::vector<mx::array>& outputs) {
  for (mx::array& output : outputs)
    if (&output.inputs() != &inputs && !output.is_tracer()) output.inputs().clear();
}

namespace {

// Copies one strided block; `axis` walks from the outermost dimension inwards.
char* copy_strided(char* to, const char* from, const mx::Shape& shape, const mx::Strides& strides,
                   size_t axis, size_t itemsize) {
  const auto step = static_cast<int64_t>(itemsize);
  if (axis == shape.size()) {
    std::memcpy(to, from, itemsize);
    return to + itemsize;
  }
  if (axis + 1 == shape.size() && strides[axis] == 1) {
    std::memcpy(to, from, itemsize * static_cast<size_t>(shape[axis]));
    return to + itemsize * static_cast<size_t>(shape[axis]);
  }
  for (int i = 0; i < shape[axis]; ++i, from += strides[axis] * step)
    to = copy_strided(to, from, shape, strides, axis + 1, itemsize);
  return to;
}

}  // namespace

mx::array in_rows(const mx::array& input, mx::Stream stream) {
  if (input.flags().row_contiguous) return input;
  mx::array copy(input.shape(), input.dtype(), nullptr, {});
  allocate(copy);
  mx::cpu::get_command_encoder(stream).add_temporary(copy);
  schedule(stream, [to = copy.data<char>(), from = input.data<char>(), shape = input.shape(),
                    strides = input.strides(), itemsize = input.itemsize()] {
    copy_strided(to, from, shape, strides, 0, itemsize);
  });
  return copy;
}

}  // namespace toolkit::tensor::cpu
