#include "core/tensor/cpu/attention_pass.h"

#include <algorithm>
#include <cstring>

#include "core/tensor/cpu/attention_kernels.h"
#include "core/tensor/cpu/float_buffer.h"
#include "core/tensor/cpu/thread_pool.h"

namespace toolkit::tensor::cpu {

namespace {

/// A piece of work for one thread.
struct Piece {
  const AttentionRun* run;
  int64_t index;  // of the run
  int64_t head;   // kv head, or query head where heads are split
  int64_t begin;  // first query (forward)
  int64_t cost;
};

void longest_first(std::vector<Piece>& pieces) {
  std::stable_sort(pieces.begin(), pieces.end(),
                   [](const Piece& a, const Piece& b) { return a.cost > b.cost; });
}

void zero_rows(MutableRows rows, int64_t first, int64_t count, int64_t width) {
  for (int64_t i = 0; i < count; ++i)
    std::memset(rows.at(first + i), 0, static_cast<size_t>(width) * sizeof(float));
}

/// Keys as transposed panels and values as rows, of every run and kv head.
class PackedKeys {
 public:
  PackedKeys(const AttentionShape& shape, const std::vector<AttentionRun>& runs)
      : shape_(shape), offsets_(runs.size() + 1) {
    for (size_t i = 0; i < runs.size(); ++i)
      offsets_[i + 1] = offsets_[i] + (runs[i].padding ? 0 : padded_keys(runs[i].keys));
    const int64_t size = offsets_.back() * shape.kv_heads * shape.padded_width();
    panels_ = std::make_unique<FloatBuffer>(size);
    values_ = std::make_unique<FloatBuffer>(size);
  }

  void fill(const std::vector<AttentionRun>& runs, ConstRows k, ConstRows v) {
    const int64_t width = shape_.width, padded = shape_.padded_width();
    parallel_for(static_cast<int64_t>(runs.size()) * shape_.kv_heads, 1,
                 [&](int64_t begin, int64_t end, int) {
                   for (int64_t i = begin; i < end; ++i) {
                     const int64_t index = i / shape_.kv_heads, head = i % shape_.kv_heads;
                     const AttentionRun& run = runs[static_cast<size_t>(index)];
                     if (run.padding) continue;
                     pack_panels(k.at(run.key_row) + head * width, k.token_stride, run.keys, width,
                                 padded, panels(index, head));
                     pack_rows(v.at(run.key_row) + head * width, v.token_stride, run.keys, width,
                               padded, values(index, head));
                   }
                 });
  }

  float* panels(int64_t run, int64_t head) const { return panels_->data() + at(run, head); }
  float* values(int64_t run, int64_t head) const { return values_->data() + at(run, head); }

 private:
  int64_t at(int64_t run, int64_t head) const {
    const int64_t begin = offsets_[static_cast<size_t>(run)],
                  keys = offsets_[static_cast<size_t>(run) + 1] - begin;
    return (begin * shape_.kv_heads + head * keys) * shape_.padded_width();
  }

  const AttentionShape& shape_;
  std::vector<int64_t> offsets_;
  std::unique_ptr<FloatBuffer> panels_, values_;
};

std::vector<Piece> forward_pieces(const AttentionShape& shape,
                                  const std::vector<AttentionRun>& runs) {
  std::vector<Piece> pieces;
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

}  // namespace

void attention_forward_pass(const AttentionShape& shape, const int32_t* segments, ConstRows q,
                            ConstRows k, ConstRows v, MutableRows out, float* logsumexp) {
  const std::vector<AttentionRun> runs = attention_runs(shape, segments);
  PackedKeys packed(shape, runs);
  packed.fill(runs, k, v);
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
  const std::vector<Piece> pieces = forward_pieces(shape, runs);
  const int64_t width = shape.width, padded = shape.padded_width();
  const int64_t query_floats = kQueryBlock * padded;
  const int64_t per_thread = (query_floats + attention_forward_scratch(shape) + 15) / 16 * 16;
  const FloatBuffer scratch(per_thread * thread_count());
  parallel_for(static_cast<int64_t>(pieces.size()), 1, [&](int64_t begin, int64_t end, int thread) {
    float* queries = scratch.data() + thread * per_thread;
    for (int64_t i = begin; i < end; ++i) {
      const Piece& piece = pieces[static_cast<size_t>(i)];
      const AttentionRun& run = *piece.run;
      const int64_t row = run.query_row + piece.begin, batch = row / shape.queries,
                    token = row % shape.queries;
      const int64_t count = std::min(kQueryBlock, run.queries - piece.begin);
      for (int64_t h = piece.head * shape.group(); h < (piece.head + 1) * shape.group(); ++h) {
        pack_rows(q.at(row) + h * width, q.token_stride, count, width, padded, queries);
        attention_forward(
            {.shape = &shape,
             .run = &run,
             .begin = piece.begin,
             .count = count,
             .queries = queries,
             .key_panels = packed.panels(piece.index, piece.head),
             .values = packed.values(piece.index, piece.head),
             .out = out.at(row) + h * width,
             .out_stride = out.token_stride,
             .logsumexp = logsumexp + (batch * shape.heads + h) * shape.queries + token,
             .logsumexp_stride = 1,
             .scratch = queries + query_floats});
      }
    }
  });
}

namespace {

/// Memory of one thread for the backward pass of one run, all rows packed.
struct BackwardBuffers {
  float *queries, *dout, *dqueries;                           // queries rows
  float *keys, *key_panels, *value_panels, *dkeys, *dvalues;  // padded keys rows
  float *delta, *scratch;

  static int64_t size(int64_t queries, int64_t keys, int64_t width) {
    return 3 * queries * width + 5 * padded_keys(keys) * width + (queries + 15) / 16 * 16 +
           attention_backward_scratch();
  }
  BackwardBuffers(float* memory, int64_t query_rows, int64_t key_rows, int64_t width) {
    const auto take = [&](int64_t floats) {
      float* part = memory;
      memory += floats;
      return part;
    };
    const int64_t key_floats = padded_keys(key_rows) * width;
    queries = take(query_rows * width);
    dout = take(query_rows * width);
    dqueries = take(query_rows * width);
    keys = take(key_floats);
    key_panels = take(key_floats);
    value_panels = take(key_floats);
    dkeys = take(key_floats);
    dvalues = take(key_floats);
    delta = take((query_rows + 15) / 16 * 16);
    scratch = take(attention_backward_scratch());
  }
};

struct BackwardCall {
  const AttentionShape& shape;
  ConstRows q, k, v, out, dout;
  const float* logsumexp;
  MutableRows dq, dk, dv;  // dk and dv: of kv heads, or of every query head where heads are split
};

void copy_out(const float* from, int64_t padded, int64_t rows, int64_t width, float* to,
              int64_t stride) {
  for (int64_t i = 0; i < rows; ++i)
    std::memcpy(to + i * stride, from + i * padded, static_cast<size_t>(width) * sizeof(float));
}

// Query heads [first, first + count) of one run, which share kv head `kv`; their sum goes to head
// `sink` of dk and dv.
void backward_heads(const BackwardCall& call, const AttentionRun& run, int64_t kv, int64_t first,
                    int64_t count, int64_t sink, const BackwardBuffers& buffers) {
  const AttentionShape& shape = call.shape;
  const int64_t width = shape.width, padded = shape.padded_width();
  const auto bytes = [&](int64_t rows) {
    return static_cast<size_t>(rows * padded) * sizeof(float);
  };
  const float* k = call.k.at(run.key_row) + kv * width;
  pack_rows(k, call.k.token_stride, run.keys, width, padded, buffers.keys);
  pack_panels(k, call.k.token_stride, run.keys, width, padded, buffers.key_panels);
  pack_panels(call.v.at(run.key_row) + kv * width, call.v.token_stride, run.keys, width, padded,
              buffers.value_panels);
  std::memset(buffers.dkeys, 0, bytes(run.keys));
  std::memset(buffers.dvalues, 0, bytes(run.keys));
  const int64_t batch = run.query_row / shape.queries, token = run.query_row % shape.queries;
  for (int64_t h = first; h < first + count; ++h) {
    const float* dout = call.dout.at(run.query_row) + h * width;
    const float* out = call.out.at(run.query_row) + h * width;
    pack_rows(call.q.at(run.query_row) + h * width, call.q.token_stride, run.queries, width, padded,
              buffers.queries);
    pack_rows(dout, call.dout.token_stride, run.queries, width, padded, buffers.dout);
    for (int64_t i = 0; i < run.queries; ++i)
      buffers.delta[i] =
          dot(dout + i * call.dout.token_stride, out + i * call.out.token_stride, width);
    std::memset(buffers.dqueries, 0, bytes(run.queries));
    attention_backward(
        {.shape = &shape,
         .run = &run,
         .queries = buffers.queries,
         .dout = buffers.dout,
         .keys = buffers.keys,
         .key_panels = buffers.key_panels,
         .value_panels = buffers.value_panels,
         .logsumexp = call.logsumexp + (batch * shape.heads + h) * shape.queries + token,
         .delta = buffers.delta,
         .dqueries = buffers.dqueries,
         .dkeys = buffers.dkeys,
         .dvalues = buffers.dvalues,
         .scratch = buffers.scratch});
    copy_out(buffers.dqueries, padded, run.queries, width, call.dq.at(run.query_row) + h * width,
             call.dq.token_stride);
  }
  copy_out(buffers.dkeys, padded, run.keys, width, call.dk.at(run.key_row) + sink * width,
           call.dk.token_stride);
  copy_out(buffers.dvalues, padded, run.keys, width, call.dv.at(run.key_row) + sink * width,
           call.dv.token_stride);
}

// Sums the heads of each group: from (rows, H, D) to (rows, Hkv, D).
void sum_groups(const AttentionShape& shape, const float* from, MutableRows to) {
  const int64_t width = shape.width, group = shape.group();
  parallel_for(shape.batch * shape.keys, 16, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t h = 0; h < shape.kv_heads; ++h) {
        const float* source = from + (row * shape.heads + h * group) * width;
        float* sink = to.at(row) + h * width;
        for (int64_t i = 0; i < width; ++i) {
          float total = source[i];
          for (int64_t g = 1; g < group; ++g) total += source[g * width + i];
          sink[i] = total;
        }
      }
    }
  });
}

}  // namespace

void attention_backward_pass(const AttentionShape& shape, const int32_t* segments, ConstRows q,
                             ConstRows k, ConstRows v, ConstRows out, ConstRows dout,
                             const float* logsumexp, MutableRows dq, MutableRows dk,
                             MutableRows dv) {
  const std::vector<AttentionRun> runs = attention_runs(shape, segments);
  std::vector<Piece> pieces;
  int64_t longest_queries = 0, longest_keys = 0, live = 0;
  for (const AttentionRun& run : runs) live += run.padding ? 0 : 1;
  // Few long runs: share out query heads instead of kv heads, and sum their key gradients at the
  // end.
  const bool split =
      shape.group() > 1 && live * shape.kv_heads < 4 * thread_count() && thread_count() > 1;
  for (size_t i = 0; i < runs.size(); ++i) {
    const AttentionRun& run = runs[i];
    if (run.padding) continue;
    longest_queries = std::max(longest_queries, run.queries);
    longest_keys = std::max(longest_keys, run.keys);
    for (int64_t head = 0; head < (split ? shape.heads : shape.kv_heads); ++head)
      pieces.push_back({&run, static_cast<int64_t>(i), head, 0, run.queries * run.keys});
  }
  longest_first(pieces);

  const int64_t wide_row = shape.heads * shape.width, rows = shape.batch * shape.keys;
  const FloatBuffer dk_heads(split ? rows * wide_row : 0), dv_heads(split ? rows * wide_row : 0);
  BackwardCall call{shape, q, k, v, out, dout, logsumexp, dq, dk, dv};
  if (split) {
    call.dk = {dk_heads.data(), shape.keys, shape.keys * wide_row, wide_row};
    call.dv = {dv_heads.data(), shape.keys, shape.keys * wide_row, wide_row};
  }
  for (const AttentionRun& run : runs) {
    if (!run.padding) continue;
    zero_rows(dq, run.query_row, run.queries, wide_row);
    zero_rows(call.dk, run.key_row, run.keys, split ? wide_row : shape.kv_heads * shape.width);
    zero_rows(call.dv, run.key_row, run.keys, split ? wide_row : shape.kv_heads * shape.width);
  }
  const int64_t padded = shape.padded_width();
  const int64_t per_thread = BackwardBuffers::size(longest_queries, longest_keys, padded);
  const FloatBuffer scratch(per_thread * thread_count());
  parallel_for(static_cast<int64_t>(pieces.size()), 1, [&](int64_t begin, int64_t end, int thread) {
    for (int64_t i = begin; i < end; ++i) {
      const Piece& piece = pieces[static_cast<size_t>(i)];
      const BackwardBuffers buffers(scratch.data() + thread * per_thread, piece.run->queries,
                                    piece.run->keys, padded);
      if (split) {
        backward_heads(call, *piece.run, piece.head / shape.group(), piece.head, 1, piece.head,
                       buffers);
      } else {
        backward_heads(call, *piece.run, piece.head, piece.head * shape.group(), shape.group(),
                       piece.head, buffers);
      }
    }
  });
  if (split) {
    sum_groups(shape, dk_heads.data(), dk);
    sum_groups(shape, dv_heads.data(), dv);
  }
}

}  // namespace toolkit::tensor::cpu
