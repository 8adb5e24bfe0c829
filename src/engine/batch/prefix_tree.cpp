#include "engine/batch/prefix_tree.h"

#include <algorithm>

namespace toolkit::engine {

PrefixTree::~PrefixTree() {
  for (const auto& [key, block] : blocks_) pool_.give_back(block->data);
}

// Ids of blocks are even, those of roots odd.
PrefixTree::Key PrefixTree::key_of(uint64_t root, const PrefixBlock* before,
                                   std::span<const int32_t> tokens) const {
  Key key{before ? before->id : 2 * root + 1, {}};
  std::copy_n(tokens.begin(), key.second.size(), key.second.begin());
  return key;
}

void PrefixTree::use(PrefixBlock& block) {
  if (block.users++ > 0) return;
  --unused_;
  idle_.erase({block.last_used, &block});
}

PrefixBlock* PrefixTree::find(uint64_t root, PrefixBlock* before, std::span<const int32_t> tokens) {
  const auto found = blocks_.find(key_of(root, before, tokens));
  if (found == blocks_.end()) return nullptr;
  use(*found->second);
  return found->second.get();
}

PrefixBlock* PrefixTree::add(uint64_t root, PrefixBlock* before, std::span<const int32_t> tokens,
                             uint8_t* data) {
  if (PrefixBlock* known = find(root, before, tokens)) {
    pool_.give_back(data);
    return known;
  }
  Key key = key_of(root, before, tokens);
  auto block = std::make_unique<PrefixBlock>(
      PrefixBlock{.data = data, .id = last_id_ += 2, .before = before, .root = root});
  block->tokens = key.second;
  block->users = 1;
  if (before) ++before->children;
  return (blocks_[key] = std::move(block)).get();
}

void PrefixTree::release(PrefixBlock* block) {
  if (--block->users > 0) return;
  ++unused_;
  block->last_used = ++clock_;
  if (idle_leaf(*block)) idle_.insert({block->last_used, block});
}

bool PrefixTree::forget_one() {
  if (idle_.empty()) return false;
  PrefixBlock* block = idle_.begin()->second;
  idle_.erase(idle_.begin());
  --unused_;
  pool_.give_back(block->data);
  PrefixBlock* before = block->before;
  if (before && --before->children == 0 && idle_leaf(*before))
    idle_.insert({before->last_used, before});
  blocks_.erase(key_of(block->root, before, block->tokens));
  return true;
}

}  // namespace toolkit::engine
