#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor/array_fwd.h"
#include "mlx/backend/cpu/encoder.h"
#include "mlx/primitives.h"

namespace toolkit::tensor::cpu {

/// Base of our MLX primitives. They are made only where `use_cpu_kernels()` holds, so a GPU never
/// sees one.
class CpuPrimitive : public mx::Primitive {
 public:
  CpuPrimitive();  // on the default stream
  void eval_gpu(const std::vector<mx::array>&, std::vector<mx::array>&) override;
};

/// Gives an output fresh memory. The same with a donor: takes over its buffer if nobody else needs
/// it (same bytes, contiguous), so that the result is written in place.
void allocate(mx::array& out);
void allocate_or_reuse(mx::array& out, const mx::array& donor);

/// To be called first in the eval_cpu of a primitive with several outputs: each of them holds the
/// inputs, which would make every input look shared and so never reusable.
void release_inputs_of_siblings(const std::vector<mx::array>& inputs,
                                std::vector<mx::array>& outputs);

/// The input itself if its rows follow each other, else a copy made on the stream before the
/// caller's work. To be called in eval_cpu, where strides are known.
mx::array in_rows(const mx::array& input, mx::Stream stream);

/// Runs `work` on the stream after everything scheduled so far. Capture pointers, never arrays: MLX
/// keeps inputs and outputs alive until the work is done, and arrays would hold up reuse of
/// buffers.
template <class Work>
void schedule(mx::Stream stream, Work&& work) {
  mx::cpu::get_command_encoder(stream).dispatch(std::forward<Work>(work));
}

}  // namespace toolkit::tensor::cpu
