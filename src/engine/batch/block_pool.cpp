#include "engine/batch/block_pool.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

#include "core/base/error.h"

namespace toolkit::engine {

BlockPool::BlockPool(const tensor::KvBlockShape& shape, int64_t limit_bytes)
    : shape_(shape),
      limit_(static_cast<int>(std::min<int64_t>(
          limit_bytes / shape.bytes(),
          std::numeric_limits<int>::max() / (2 * tensor::KvBlockShape::kTokens)))) {}

BlockPool::~BlockPool() {
  for (uint8_t* block : free_) std::free(block);
}

uint8_t* BlockPool::take() {
  if (!free_.empty()) {
    uint8_t* block = free_.back();
    free_.pop_back();
    return block;
  }
  if (made_ >= limit_) return nullptr;
  auto* block = static_cast<uint8_t*>(std::calloc(static_cast<size_t>(shape_.bytes()), 1));
  if (!block)
    fail(ErrorKind::kOutOfMemory, "no memory for {} more bytes of keys and values", shape_.bytes());
  ++made_;
  return block;
}

void BlockPool::give_back(uint8_t* block) {
  free_.push_back(block);
}

}  // namespace toolkit::engine
