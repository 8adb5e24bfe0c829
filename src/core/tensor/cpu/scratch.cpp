#include "core/tensor/cpu/scratch.h"

#include <array>
#include <cstdlib>
#include <new>

namespace toolkit::tensor::cpu {

namespace {

constexpr size_t kAlignment = 64;

struct Buffer {
  void* data = nullptr;
  size_t size = 0;
  ~Buffer() { std::free(data); }
};

thread_local std::array<Buffer, static_cast<size_t>(Scratch::kCount)> buffers;

}  // namespace

void* scratch_bytes(Scratch which, size_t bytes) {
  Buffer& buffer = buffers[static_cast<size_t>(which)];
  if (bytes <= buffer.size) return buffer.data;
  // Kernels may read one vector past the end of what they use.
  const size_t size = (bytes + 2 * kAlignment) / kAlignment * kAlignment;
  std::free(buffer.data);
  buffer.size = 0;
  buffer.data = std::aligned_alloc(kAlignment, size);
  if (!buffer.data) throw std::bad_alloc();
  buffer.size = size;
  return buffer.data;
}

}  // namespace toolkit::tensor::cpu
