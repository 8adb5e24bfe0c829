#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

namespace toolkit::tensor::cpu {

/// Uninitialized floats on a cache-line boundary, for the duration of one kernel.
class FloatBuffer {
 public:
  explicit FloatBuffer(int64_t count) {
    constexpr size_t kLine = 64;
    const size_t bytes = (static_cast<size_t>(count) * sizeof(float) + kLine - 1) / kLine * kLine;
    memory_.reset(static_cast<float*>(std::aligned_alloc(kLine, bytes == 0 ? kLine : bytes)));
    if (!memory_) throw std::bad_alloc();
  }
  float* data() const { return memory_.get(); }

 private:
  struct Free {
    void operator()(float* memory) const { std::free(memory); }
  };
  std::unique_ptr<float, Free> memory_;
};

}  // namespace toolkit::tensor::cpu
