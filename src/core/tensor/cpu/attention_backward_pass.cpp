#include <algorithm>
#include <cstring>

#include "core/tensor/cpu/attention_kernels.h"
#include "core/tensor/cpu/attention_pass.h"
#include "core/tensor/cpu/attention_pieces.h"
#include "core/tensor/cpu/float_buffer.h"
#include "core/tensor/cpu/thread_pool.h"

namespace toolkit::tensor::cpu {

namespace {

struct BackwardCall {
  const AttentionShape& shape;
  ConstRows q, k, v, out, dout;
  const float* logsumexp;
  MutableRows dq, dk, dv;  // dk and dv: of kv heads, or of every query head where heads are split

  /// Whether keys and their gradients can be used where they lie. Queries are always copied: rows
  /// of all heads lie so far apart that they cost an address translation each, panel after panel.
  bool in_place(const AttentionRun& run) const {
    return run.prefix == 0 && usable_in_place(shape, k.token_stride) &&
           usable_in_place(shape, dk.token_stride) && usable_in_place(shape, dv.token_stride);
  }
};

int64_t whole_lines(int64_t floats) {
  return (floats + 15) / 16 * 16;
}

/// Memory of one thread for one run; `copies`: with room for packed keys too.
struct Buffers {
  float *key_panels, *value_panels, *queries, *dout, *dqueries, *delta, *scores;
  float *keys, *dkeys, *dvalues;

  static int64_t size(int64_t queries, int64_t keys, int64_t width, bool copies) {
    return (copies ? 5 : 2) * padded_keys(keys) * width + 3 * queries * width +
           whole_lines(queries) + whole_lines(attention_backward_scratch());
  }
  Buffers(float* memory, int64_t query_rows, int64_t key_rows, int64_t width) {
    const auto take = [&](int64_t floats) {
      float* part = memory;
      memory += floats;
      return part;
    };
    const int64_t key_floats = padded_keys(key_rows) * width;
    key_panels = take(key_floats);
    value_panels = take(key_floats);
    queries = take(query_rows * width);
    dout = take(query_rows * width);
    dqueries = take(query_rows * width);
    delta = take(whole_lines(query_rows));
    scores = take(whole_lines(attention_backward_scratch()));
    keys = take(key_floats);
    dkeys = take(key_floats);
    dvalues = take(key_floats);
  }
};

/// Query heads [first, first + count) of one run, which share kv head `kv`; the sum of their key
/// gradients goes to head `sink` of dk and dv.
struct HeadGroup {
  const AttentionRun* run;
  int64_t index;  // of the run
  int64_t kv, first, count, sink;
};

void zero(SumRows rows, int64_t count, int64_t width) {
  for (int64_t i = 0; i < count; ++i)
    std::memset(rows.at(i), 0, static_cast<size_t>(width) * sizeof(float));
}

/// Gradients of shared keys and values, apart for each run that sees them: added up at the end in
/// the order of the runs, so that the sums do not depend on which thread was first.
class PrefixGradients {
 public:
  PrefixGradients(const std::vector<AttentionRun>& runs, int64_t row_floats)
      : runs_(runs), row_floats_(row_floats), offsets_(runs.size() + 1) {
    for (size_t i = 0; i < runs.size(); ++i) offsets_[i + 1] = offsets_[i] + runs[i].prefix;
    keys_ = std::make_unique<FloatBuffer>(offsets_.back() * row_floats);
    values_ = std::make_unique<FloatBuffer>(offsets_.back() * row_floats);
  }

  int64_t row_floats() const { return row_floats_; }
  float* keys(int64_t run) const { return keys_->data() + place(run); }
  float* values(int64_t run) const { return values_->data() + place(run); }

  void add_to(MutableRows dk, MutableRows dv) const {
    int64_t longest = 0;
    for (const AttentionRun& run : runs_) longest = std::max(longest, run.prefix);
    parallel_for(longest, 4, [&](int64_t begin, int64_t end, int) {
      for (size_t i = 0; i < runs_.size(); ++i) {
        for (int64_t t = begin; t < std::min(end, runs_[i].prefix); ++t) {
          const int64_t from = place(static_cast<int64_t>(i)) + t * row_floats_;
          add_row(keys_->data() + from, dk.at(runs_[i].prefix_row + t));
          add_row(values_->data() + from, dv.at(runs_[i].prefix_row + t));
        }
      }
    });
  }

 private:
  int64_t place(int64_t run) const { return offsets_[static_cast<size_t>(run)] * row_floats_; }
  void add_row(const float* from, float* to) const {
    for (int64_t i = 0; i < row_floats_; ++i) to[i] += from[i];
  }

  const std::vector<AttentionRun>& runs_;
  int64_t row_floats_;
  std::vector<int64_t> offsets_;  // in keys
  std::unique_ptr<FloatBuffer> keys_, values_;
};

/// The keys of one run and head, and where their gradients are summed.
struct KeySide {
  Rows keys;
  SumRows dkeys, dvalues;
};

KeySide load_keys(const BackwardCall& call, const HeadGroup& group, const Buffers& buffers) {
  const AttentionShape& shape = call.shape;
  const AttentionRun& run = *group.run;
  const int64_t width = shape.width, padded = shape.padded_width();
  KeySide side{{buffers.keys, padded}, {buffers.dkeys, padded}, {buffers.dvalues, padded}};
  if (call.in_place(run)) {
    const float* k = call.k.at(run.key_row) + group.kv * width;
    side = {{k, call.k.token_stride},
            {call.dk.at(run.key_row) + group.sink * width, call.dk.token_stride},
            {call.dv.at(run.key_row) + group.sink * width, call.dv.token_stride}};
    pack_panels(k, call.k.token_stride, run.keys, width, padded, buffers.key_panels);
    pack_panels(call.v.at(run.key_row) + group.kv * width, call.v.token_stride, run.keys, width,
                padded, buffers.value_panels);
  } else {
    gather_keys(shape, run, call.v, group.kv, buffers.keys);
    pack_panels(buffers.keys, padded, run.keys, padded, padded, buffers.value_panels);
    gather_keys(shape, run, call.k, group.kv, buffers.keys);
    pack_panels(buffers.keys, padded, run.keys, padded, padded, buffers.key_panels);
  }
  zero(side.dkeys, run.keys, padded);
  zero(side.dvalues, run.keys, padded);
  return side;
}

void store_key_gradients(const BackwardCall& call, const HeadGroup& group, const KeySide& side,
                         const PrefixGradients& shared) {
  const AttentionRun& run = *group.run;
  const int64_t width = call.shape.width, column = group.sink * width;
  const auto store = [&](SumRows sums, float* prefix, MutableRows own) {
    copy_out(sums.data, sums.stride, run.prefix, width, prefix + column, shared.row_floats());
    copy_out(sums.at(run.prefix), sums.stride, run.own_keys(), width, own.at(run.key_row) + column,
             own.token_stride);
  };
  store(side.dkeys, shared.keys(group.index), call.dk);
  store(side.dvalues, shared.values(group.index), call.dv);
}

void backward_group(const BackwardCall& call, const HeadGroup& group, const Buffers& buffers,
                    const PrefixGradients& shared) {
  const AttentionShape& shape = call.shape;
  const AttentionRun& run = *group.run;
  const int64_t width = shape.width, padded = shape.padded_width();
  const auto packed = [&](const float* from, int64_t stride, float* memory) {
    pack_rows(from, stride, run.queries, width, padded, memory);
    return Rows{memory, padded};
  };
  const KeySide side = load_keys(call, group, buffers);
  const int64_t batch = run.query_row / shape.queries, token = run.query_row % shape.queries;
  for (int64_t h = group.first; h < group.first + group.count; ++h) {
    const float* dout = call.dout.at(run.query_row) + h * width;
    const float* out = call.out.at(run.query_row) + h * width;
    float* dq = call.dq.at(run.query_row) + h * width;
    row_dots(dout, call.dout.token_stride, out, call.out.token_stride, run.queries, width,
             buffers.delta);
    const SumRows dqueries{buffers.dqueries, padded};
    zero(dqueries, run.queries, padded);
    attention_backward(
        {.shape = &shape,
         .run = &run,
         .queries =
             packed(call.q.at(run.query_row) + h * width, call.q.token_stride, buffers.queries),
         .dout = packed(dout, call.dout.token_stride, buffers.dout),
         .keys = side.keys,
         .key_panels = buffers.key_panels,
         .value_panels = buffers.value_panels,
         .logsumexp = call.logsumexp + (batch * shape.heads + h) * shape.queries + token,
         .delta = buffers.delta,
         .dqueries = dqueries,
         .dkeys = side.dkeys,
         .dvalues = side.dvalues,
         .scratch = buffers.scores});
    copy_out(dqueries.data, padded, run.queries, width, dq, call.dq.token_stride);
  }
  if (!call.in_place(run)) store_key_gradients(call, group, side, shared);
}

// Sums the heads of each group: from (rows, H, D) to (rows, Hkv, D).
void sum_groups(const AttentionShape& shape, const float* from, MutableRows to) {
  const int64_t width = shape.width, group = shape.group();
  parallel_for(shape.batch * shape.keys, 16, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t h = 0; h < shape.kv_heads; ++h) {
        const float* source = from + (row * shape.heads + h * group) * width;
        float* sink = to.at(row) + h * width;
        std::memcpy(sink, source, static_cast<size_t>(width) * sizeof(float));
        for (int64_t g = 1; g < group; ++g) {
          const float* more = source + g * width;
          for (int64_t i = 0; i < width; ++i) sink[i] += more[i];
        }
      }
    }
  });
}

struct Plan {
  std::vector<AttentionPiece> pieces;
  int64_t longest_queries = 0, longest_keys = 0;
  bool split =
      false;  // few long runs: pieces are query heads, whose key gradients are summed at the end
};

Plan plan_backward(const AttentionShape& shape, const std::vector<AttentionRun>& runs) {
  Plan plan;
  int64_t live = 0;
  for (const AttentionRun& run : runs) live += run.padding ? 0 : 1;
  plan.split =
      shape.group() > 1 && live * shape.kv_heads < 4 * thread_count() && thread_count() > 1;
  for (size_t i = 0; i < runs.size(); ++i) {
    const AttentionRun& run = runs[i];
    if (run.padding) continue;
    plan.longest_queries = std::max(plan.longest_queries, run.queries);
    plan.longest_keys = std::max(plan.longest_keys, run.keys);
    for (int64_t head = 0; head < (plan.split ? shape.heads : shape.kv_heads); ++head)
      plan.pieces.push_back({&run, static_cast<int64_t>(i), head, 0, run.queries * run.keys});
  }
  longest_first(plan.pieces);
  return plan;
}

void zero_padding(const BackwardCall& call, const std::vector<AttentionRun>& runs, bool split) {
  const int64_t wide = call.shape.heads * call.shape.width;
  const int64_t key_width = split ? wide : call.shape.kv_heads * call.shape.width;
  for (const AttentionRun& run : runs) {
    if (!run.padding) continue;
    zero_rows(call.dq, run.query_row, run.queries, wide);
    zero_rows(call.dk, run.key_row, run.keys, key_width);
    zero_rows(call.dv, run.key_row, run.keys, key_width);
  }
}

}  // namespace

void attention_backward_pass(const AttentionShape& shape, const AttentionPacking& packing,
                             ConstRows q, ConstRows k, ConstRows v, ConstRows out, ConstRows dout,
                             const float* logsumexp, MutableRows dq, MutableRows dk,
                             MutableRows dv) {
  const std::vector<AttentionRun> runs = attention_runs(shape, packing);
  const Plan plan = plan_backward(shape, runs);
  const int64_t wide = shape.heads * shape.width, rows = shape.batch * shape.keys;
  const FloatBuffer dk_heads(plan.split ? rows * wide : 0), dv_heads(plan.split ? rows * wide : 0);
  BackwardCall call{shape, q, k, v, out, dout, logsumexp, dq, dk, dv};
  if (plan.split) {
    call.dk = {dk_heads.data(), shape.keys, shape.keys * wide, wide};
    call.dv = {dv_heads.data(), shape.keys, shape.keys * wide, wide};
  }
  zero_padding(call, runs, plan.split);
  const PrefixGradients shared(runs, (plan.split ? shape.heads : shape.kv_heads) * shape.width);
  const bool copies = std::any_of(runs.begin(), runs.end(), [&](const AttentionRun& run) {
    return !run.padding && !call.in_place(run);
  });
  const int64_t padded = shape.padded_width(), group = shape.group();
  const int64_t per_thread = Buffers::size(plan.longest_queries, plan.longest_keys, padded, copies);
  const FloatBuffer memory(per_thread * thread_count());
  parallel_for(
      static_cast<int64_t>(plan.pieces.size()), 1, [&](int64_t begin, int64_t end, int thread) {
        for (int64_t i = begin; i < end; ++i) {
          const AttentionPiece& piece = plan.pieces[static_cast<size_t>(i)];
          const Buffers buffers(memory.data() + thread * per_thread, piece.run->queries,
                                piece.run->keys, padded);
          HeadGroup heads{piece.run,          piece.index, piece.head,
                          piece.head * group, group,       piece.head};
          if (plan.split)
            heads = {piece.run, piece.index, piece.head / group, piece.head, 1, piece.head};
          backward_group(call, heads, buffers, shared);
        }
      });
  shared.add_to(call.dk, call.dv);
  if (plan.split) {
    sum_groups(shape, dk_heads.data(), dk);
    sum_groups(shape, dv_heads.data(), dv);
  }
}

}  // namespace toolkit::tensor::cpu
