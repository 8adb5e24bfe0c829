#pragma once

#include <cstdint>
#include <functional>

namespace toolkit::tensor::cpu {

/// Number of threads that share each kernel, the caller included: the machine's cores, or
/// MLX_TOOLKIT_THREADS.
int thread_count();
void set_thread_count(int count);

/// Calls body(begin, end, thread) on disjoint ranges that cover [0, count), one range or more per
/// thread, and returns when all are done; `thread` is below thread_count(). Ranges are multiples of
/// `grain` (but the last). A call from inside a body runs in place on its thread. The first
/// exception of a body ends the loop early and is thrown to the caller. Workers spin shortly, then
/// sleep.
void parallel_for(int64_t count, int64_t grain,
                  const std::function<void(int64_t begin, int64_t end, int thread)>& body);

}  // namespace toolkit::tensor::cpu
