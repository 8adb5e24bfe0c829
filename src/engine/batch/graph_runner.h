#pragma once

#include "engine/batch/model_runner.h"
#include "models/kv_cache.h"

namespace toolkit::engine {

/// One sequence after another through the model's graph, on any backend; adapters are put on the
/// model in turn. Remembers no prefixes.
class GraphRunner : public ModelRunner {
 public:
  GraphRunner(models::Decoder& model, int64_t cache_bytes);

  std::unique_ptr<SequenceMemory> open() override;
  int recall(SequenceMemory& memory, std::span<const int32_t> tokens,
             const LoadedAdapter* adapter) override;
  int next_recall(const SequenceMemory&) const override { return 0; }
  bool reserve(SequenceMemory& memory, int count) override;
  void run(std::span<const StepPart> parts) override;
  void truncate(SequenceMemory& memory, int tokens) override;
  void remember(SequenceMemory&, std::span<const int32_t>, const LoadedAdapter*) override {}
  void close(std::unique_ptr<SequenceMemory> memory) override;
  void bare() override { put_on(nullptr); }
  int capacity_tokens() const override { return capacity_; }
  int free_tokens() const override { return capacity_ - used_; }
  int64_t bytes_used() const override { return used_ * bytes_per_token_; }
  int64_t bytes_per_token() const override { return bytes_per_token_; }
  bool runs_rows_together() const override { return false; }

 private:
  void put_on(const LoadedAdapter* adapter);
  void run_part(const StepPart& part);

  models::Decoder& model_;
  int64_t bytes_per_token_;
  int capacity_, used_ = 0;  // tokens, in whole steps of a KvCache
  uint64_t adapter_on_ = 0;
};

}  // namespace toolkit::engine
