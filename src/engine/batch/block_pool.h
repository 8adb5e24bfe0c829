#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/tensor/kv_block.h"

namespace toolkit::engine {

/// Memory for blocks of keys and values, up to a limit; what was freed is used again. A block is
/// zeros when it is first taken.
class BlockPool {
 public:
  BlockPool(const tensor::KvBlockShape& shape, int64_t limit_bytes);
  ~BlockPool();
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  /// Null when the limit is reached. Throws Error(kOutOfMemory) if the system has none.
  uint8_t* take();
  void give_back(uint8_t* block);

  int limit() const { return limit_; }  // blocks
  int used() const { return made_ - static_cast<int>(free_.size()); }
  const tensor::KvBlockShape& shape() const { return shape_; }

 private:
  const tensor::KvBlockShape shape_;
  const int limit_;
  int made_ = 0;
  std::vector<uint8_t*> free_;
};

}  // namespace toolkit::engine
