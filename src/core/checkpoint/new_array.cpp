#include "core/checkpoint/new_array.h"

#include <cstring>
#include <utility>

#include "core/base/error.h"
#include "mlx/allocator.h"

namespace toolkit::checkpoint {

NewArray new_array(const mx::Shape& shape, mx::Dtype dtype) {
  size_t bytes = size_of(dtype);
  for (const auto size : shape) bytes *= static_cast<size_t>(size);
  try {
    mx::allocator::Data data = mx::allocator::malloc(bytes);
    mx::allocator::Buffer buffer = data.buffer();
    void* bytes_of_array = buffer.raw_ptr();
    return {mx::array(std::move(data), shape, dtype), bytes_of_array};
  } catch (const std::exception& error) {
    fail(ErrorKind::kOutOfMemory, "a tensor needs {} bytes, which could not be allocated: {}",
         bytes, error.what());
  }
}

mx::array reorder_rows(const mx::array& array, const std::vector<int>& order) {
  NewArray result = new_array(array.shape(), array.dtype());
  const size_t row_bytes = array.nbytes() / static_cast<size_t>(array.shape(0));
  const char* from = array.data<char>();
  char* to = static_cast<char*>(result.data);
  for (size_t i = 0; i < order.size(); ++i)
    std::memcpy(to + i * row_bytes, from + static_cast<size_t>(order[i]) * row_bytes, row_bytes);
  return result.array;
}

}  // namespace toolkit::checkpoint
