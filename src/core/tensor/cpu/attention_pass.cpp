#include "core/tensor/cpu/attention_pass.h"

#include <algorithm>
#include <cstring>

#include "core/tensor/cpu/attention_decode.h"
#include "core/tensor/cpu/attention_kernels.h"
#include "core/tensor/cpu/attention_pieces.h"
#include "core/tensor/cpu/float_buffer.h"
#include "core/tensor/cpu/thread_pool.h"

namespace toolkit::tensor::cpu {

namespace {

/// Keys as transposed panels and, where they cannot be used in place, values as rows, of every run
/// and kv head.
class PackedKeys {
 public:
  PackedKeys(const AttentionShape& shape, const std::vector<AttentionRun>& runs, ConstRows k,
             ConstRows v)
      : shape_(shape),
        runs_(runs),
        k_(k),
        v_(v),
        usable_(usable_in_place(shape, v.token_stride)),
        offsets_(runs.size() + 1) {
    bool copies = false;
    for (size_t i = 0; i < runs.size(); ++i) {
      offsets_[i + 1] = offsets_[i] + (runs[i].padding ? 0 : padded_keys(runs[i].keys));
      copies |= !in_place(runs[i]);
    }
    const int64_t size = offsets_.back() * shape.kv_heads * shape.padded_width();
    panels_ = std::make_unique<FloatBuffer>(size);
    values_ = std::make_unique<FloatBuffer>(copies ? size : 0);
    parallel_for(static_cast<int64_t>(runs.size()) * shape_.kv_heads, 1,
                 [&](int64_t begin, int64_t end, int) {
                   for (int64_t i = begin; i < end; ++i)
                     fill(i / shape_.kv_heads, i % shape_.kv_heads);
                 });
  }

  const float* panels(int64_t run, int64_t head) const { return panels_->data() + at(run, head); }
  Rows values(int64_t index, int64_t head) const {
    const AttentionRun& r = run(index);
    if (in_place(r)) return {v_.at(r.key_row) + head * shape_.width, v_.token_stride};
    return {values_->data() + at(index, head), shape_.padded_width()};
  }

 private:
  const AttentionRun& run(int64_t index) const { return runs_[static_cast<size_t>(index)]; }
  bool in_place(const AttentionRun& r) const { return usable_ && r.prefix == 0; }
  void fill(int64_t index, int64_t head) {
    const AttentionRun& r = run(index);
    if (r.padding) return;
    const int64_t width = shape_.width, padded = shape_.padded_width(), place = at(index, head);
    float *panels = panels_->data() + place, *values = values_->data() + place;
    if (r.prefix > 0) {  // keys pass through the place of the values
      gather_keys(shape_, r, k_, head, values);
      pack_panels(values, padded, r.keys, padded, padded, panels);
    } else {
      pack_panels(k_.at(r.key_row) + head * width, k_.token_stride, r.keys, width, padded, panels);
    }
    if (!in_place(r)) gather_keys(shape_, r, v_, head, values);
  }
  int64_t at(int64_t run, int64_t head) const {
    const int64_t begin = offsets_[static_cast<size_t>(run)],
                  keys = offsets_[static_cast<size_t>(run) + 1] - begin;
    return (begin * shape_.kv_heads + head * keys) * shape_.padded_width();
  }

  const AttentionShape& shape_;
  const std::vector<AttentionRun>& runs_;
  ConstRows k_, v_;
  bool usable_;  // where they lie
  std::vector<int64_t> offsets_;
  std::unique_ptr<FloatBuffer> panels_, values_;
};

std::vector<AttentionPiece> forward_pieces(const AttentionShape& shape,
                                           const std::vector<AttentionRun>& runs) {
  std::vector<AttentionPiece> pieces;
  for (size_t i = 0; i < runs.size(); ++i) {
    const AttentionRun& run = runs[i];
    if (run.padding) continue;
    for (int64_t head = 0; head < shape.kv_heads; ++head) {
      for (int64_t begin = 0; begin < run.queries; begin += kQueryBlock) {
        const int64_t end = std::min(run.queries, begin + kQueryBlock);
        const int64_t seen = run.last_key(shape, end - 1) - run.first_key(shape, begin);
        pieces.push_back({&run, static_cast<int64_t>(i), head, begin, (end - begin) * seen});
      }
    }
  }
  longest_first(pieces);
  return pieces;
}

// Generation after a cache: transposing all keys for a few queries would cost more than using them.
void few_queries(const AttentionShape& shape, const std::vector<AttentionRun>& runs, ConstRows q,
                 ConstRows k, ConstRows v, MutableRows out, float* logsumexp) {
  for (const AttentionRun& run : runs) {
    const int64_t batch = run.query_row / shape.queries;
    for (int64_t i = 0; i < run.queries; ++i)
      attention_one_query(shape, q.at(run.query_row + i), k.at(run.key_row), k.token_stride,
                          v.at(run.key_row), v.token_stride, run.first_key(shape, i),
                          run.last_key(shape, i), out.at(run.query_row + i),
                          logsumexp + batch * shape.heads * shape.queries + i, shape.queries);
  }
}

}  // namespace

void attention_forward_pass(const AttentionShape& shape, const AttentionPacking& packing,
                            ConstRows q, ConstRows k, ConstRows v, MutableRows out,
                            float* logsumexp) {
  const std::vector<AttentionRun> runs = attention_runs(shape, packing);
  if (!packing.segments && shape.queries <= kFewQueries && shape.keys >= 4 * shape.queries)
    return few_queries(shape, runs, q, k, v, out, logsumexp);
  const PackedKeys packed(shape, runs, k, v);
  for (const AttentionRun& run : runs) {
    if (!run.padding) continue;
    zero_rows(out, run.query_row, run.queries, shape.heads * shape.width);
    for (int64_t i = 0; i < run.queries; ++i) {
      const int64_t batch = run.query_row / shape.queries,
                    token = run.query_row % shape.queries + i;
      for (int64_t h = 0; h < shape.heads; ++h)
        logsumexp[(batch * shape.heads + h) * shape.queries + token] = 0.0f;
    }
  }
  const std::vector<AttentionPiece> pieces = forward_pieces(shape, runs);
  const int64_t width = shape.width, padded = shape.padded_width();
  const bool direct =
      usable_in_place(shape, q.token_stride) && usable_in_place(shape, out.token_stride);
  const int64_t block = kQueryBlock * padded, scores = (attention_forward_scratch() + 15) / 16 * 16;
  const int64_t per_thread = scores + (direct ? 0 : 2 * block);
  const FloatBuffer scratch(per_thread * thread_count());
  const auto run_head = [&](const AttentionPiece& piece, int64_t h, float* memory) {
    const AttentionRun& run = *piece.run;
    const int64_t row = run.query_row + piece.begin, batch = row / shape.queries,
                  token = row % shape.queries;
    const int64_t count = std::min(kQueryBlock, run.queries - piece.begin);
    const float* queries = q.at(row) + h * width;
    float* result = out.at(row) + h * width;
    float *packed_queries = memory + scores, *packed_out = packed_queries + block;
    if (!direct) pack_rows(queries, q.token_stride, count, width, padded, packed_queries);
    attention_forward(
        {.shape = &shape,
         .run = &run,
         .begin = piece.begin,
         .count = count,
         .queries = direct ? Rows{queries, q.token_stride} : Rows{packed_queries, padded},
         .key_panels = packed.panels(piece.index, piece.head),
         .values = packed.values(piece.index, piece.head),
         .out = direct ? result : packed_out,
         .out_stride = direct ? out.token_stride : padded,
         .logsumexp = logsumexp + (batch * shape.heads + h) * shape.queries + token,
         .logsumexp_stride = 1,
         .scratch = memory});
    if (!direct) copy_out(packed_out, padded, count, width, result, out.token_stride);
  };
  parallel_for(static_cast<int64_t>(pieces.size()), 1, [&](int64_t begin, int64_t end, int thread) {
    for (int64_t i = begin; i < end; ++i) {
      const AttentionPiece& piece = pieces[static_cast<size_t>(i)];
      for (int64_t h = piece.head * shape.group(); h < (piece.head + 1) * shape.group(); ++h)
        run_head(piece, h, scratch.data() + thread * per_thread);
    }
  });
}

}  // namespace toolkit::tensor::cpu
