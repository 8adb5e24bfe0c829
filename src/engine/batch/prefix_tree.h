#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <utility>

#include "engine/batch/block_pool.h"

namespace toolkit::engine {

/// A full block that is remembered: its tokens after those of the blocks before it.
struct PrefixBlock {
  using Tokens = std::array<int32_t, tensor::KvBlockShape::kTokens>;

  uint8_t* data;
  uint64_t id;          // of this block
  PrefixBlock* before;  // null: the first of a text
  uint64_t root;        // the adapter that the text was computed with
  Tokens tokens;
  int users = 0;     // sequences that hold it
  int children = 0;  // blocks that continue it
  uint64_t last_used = 0;
};

/// Full blocks by the text that leads to them (a radix tree whose edges are blocks; Zheng et al.
/// 2023, arXiv:2312.07104), so that sequences share what they begin with, and what nobody uses
/// stays until its memory is wanted: the least recently used ends first.
class PrefixTree {
 public:
  explicit PrefixTree(BlockPool& pool) : pool_(pool) {}
  ~PrefixTree();
  PrefixTree(const PrefixTree&) = delete;
  PrefixTree& operator=(const PrefixTree&) = delete;

  /// The block that continues `before` with these tokens, now used once more; null if unknown.
  PrefixBlock* find(uint64_t root, PrefixBlock* before, std::span<const int32_t> tokens);
  /// Remembers a block, used once. If its text is known already, that block is returned and `data`
  /// goes back to the pool: equal texts have equal keys and values.
  PrefixBlock* add(uint64_t root, PrefixBlock* before, std::span<const int32_t> tokens,
                   uint8_t* data);
  void release(PrefixBlock* block);

  /// Forgets the block that was unused longest; false if all are in use.
  bool forget_one();
  int unused() const { return unused_; }  // blocks that could be forgotten, one after another

 private:
  using Key = std::pair<uint64_t, PrefixBlock::Tokens>;  // of the block before it, or the root's
  Key key_of(uint64_t root, const PrefixBlock* before, std::span<const int32_t> tokens) const;
  void use(PrefixBlock& block);
  bool idle_leaf(const PrefixBlock& block) const { return !block.users && !block.children; }

  BlockPool& pool_;
  std::map<Key, std::unique_ptr<PrefixBlock>> blocks_;
  std::set<std::pair<uint64_t, PrefixBlock*>> idle_;  // leaves in no use, longest unused first
  uint64_t last_id_ = 0, clock_ = 0;
  int unused_ = 0;
};

}  // namespace toolkit::engine
