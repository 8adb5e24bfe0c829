#pragma once

#include "engine/batch/block_pool.h"
#include "engine/batch/model_runner.h"
#include "engine/batch/prefix_tree.h"

namespace toolkit::engine {

/// All sequences in one pass of our CPU kernels (models::decode_rows), keys and values in blocks
/// that are shared and remembered. What a sequence says does not depend on the others.
class BlockRunner : public ModelRunner {
 public:
  BlockRunner(const models::Decoder& model, int64_t cache_bytes, bool int8);

  std::unique_ptr<SequenceMemory> open() override;
  int recall(SequenceMemory& memory, std::span<const int32_t> tokens,
             const LoadedAdapter* adapter) override;
  int next_recall(const SequenceMemory& memory) const override;
  bool reserve(SequenceMemory& memory, int count) override;
  void run(std::span<const StepPart> parts) override;
  void truncate(SequenceMemory& memory, int tokens) override;
  void remember(SequenceMemory& memory, std::span<const int32_t> tokens,
                const LoadedAdapter* adapter) override;
  void close(std::unique_ptr<SequenceMemory> memory) override;
  int capacity_tokens() const override;
  int free_tokens() const override;
  int64_t bytes_used() const override { return pool_.used() * pool_.shape().bytes(); }
  int64_t bytes_per_token() const override;
  bool runs_rows_together() const override { return true; }

 private:
  uint8_t* take_block();

  const models::Decoder& model_;
  BlockPool pool_;
  PrefixTree prefixes_;
};

}  // namespace toolkit::engine
