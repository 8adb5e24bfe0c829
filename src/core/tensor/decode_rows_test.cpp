#include "core/tensor/decode_rows.h"

#include <deque>

#include "core/base/error.h"
#include "core/tensor/compare_test.h"
#include "core/tensor/prepared_weight.h"

namespace toolkit::tensor::test {

namespace {

constexpr int kChannels = 64, kHeads = 8, kKvHeads = 2, kWidth = 24, kInner = 96;

/// A random layer that owns what a DecodeLayer points at, and two adapters for it.
struct Layer {
  std::vector<Weight> weights;
  Arrays owned;
  std::deque<LoraBranch> loras;
  std::vector<std::shared_ptr<const PreparedWeight>> prepared;
  std::deque<mx::array> scales;
  DecodeLayer view{};
  LayerBranches adapters[2];

  Layer(int bits, bool extras) {
    const int sizes[7][2] = {{kHeads * kWidth, kChannels},
                             {kKvHeads * kWidth, kChannels},
                             {kKvHeads * kWidth, kChannels},
                             {kChannels, kHeads * kWidth},
                             {kInner, kChannels},
                             {kInner, kChannels},
                             {kChannels, kInner}};
    int seed = 0;
    owned.reserve(64);
    const auto keep = [&](const mx::array& array) {
      owned.push_back(array);
      mx::eval(owned.back());
      return &owned.back();
    };
    weights.reserve(7);
    LinearTerms* maps[7] = {&view.q, &view.k, &view.v, &view.o, &view.gate, &view.up, &view.down};
    for (int i = 0; i < 7; ++i) {
      const auto [rows, columns] = sizes[i];
      const mx::array dense = random_array({rows, columns}, ++seed, 0.1f);
      if (bits == 0) {
        weights.push_back({.data = dense});
        mx::eval(weights.back().data);
      } else {
        const auto parts = mx::quantize(dense, 32, bits);
        weights.push_back({parts[0], parts[1], parts[2], 32, bits});
        mx::eval(weights.back().data, *weights.back().scales, *weights.back().biases);
      }
      maps[i]->weight = &weights.back();
      prepared.push_back(prepare_for_rows(weights.back(), nullptr));
      maps[i]->prepared = prepared.back().get();
      if (extras) maps[i]->bias = keep(random_array({rows}, ++seed, 0.1f));
    }
    view.attention_norm = keep(random_array({kChannels}, ++seed));
    view.mlp_norm = keep(random_array({kChannels}, ++seed));
    view.frequencies = keep(mx::array({1.0f, 0.3f, 0.1f, 0.03f, 0.01f, 0.003f}));
    if (extras) {
      view.q_norm = keep(random_array({kWidth}, ++seed));
      view.k_norm = keep(random_array({kWidth}, ++seed));
      view.attention_output_norm = keep(random_array({kChannels}, ++seed));
      view.mlp_output_norm = keep(random_array({kChannels}, ++seed));
      view.window = 40;
      view.rope_scale = 1.2f;
    }
    for (LayerBranches& adapter : adapters) {
      RowBranch* branches[7] = {&adapter.q,    &adapter.k,  &adapter.v,   &adapter.o,
                                &adapter.gate, &adapter.up, &adapter.down};
      for (int i = 0; i < 7; ++i) {
        const auto [rows, columns] = sizes[i];
        loras.push_back({random_array({columns, 11}, ++seed, 0.1f),
                         random_array({11, rows}, ++seed, 0.1f), 0.5f});
        mx::eval(loras.back().a, loras.back().b);
        branches[i]->lora = &loras.back();
        scales.push_back(random_array({rows}, ++seed));
        mx::eval(scales.back());
        if (&adapter == &adapters[1]) branches[i]->output_scale = &scales.back();
      }
    }
  }
};

DecodeSettings settings_with(bool extras) {
  return {.heads = kHeads,
          .kv_heads = kKvHeads,
          .head_dim = kWidth,
          .norm_eps = 1e-5f,
          .attention_scale = 0.2f,
          .attention_softcap = extras ? 5.0f : 0.0f,
          .gate = extras ? Gate::kGeluTanh : Gate::kSilu};
}

constexpr KvBlockShape kHalf{.layers = 2, .kv_heads = kKvHeads, .head_dim = kWidth};
constexpr KvBlockShape kInt8{.layers = 2, .kv_heads = kKvHeads, .head_dim = kWidth, .int8 = true};

/// Blocks of one sequence.
struct Blocks {
  std::deque<std::vector<uint8_t>> memory;
  std::vector<uint8_t*> pointers;
  Blocks(const KvBlockShape& shape, int tokens) {
    for (int i = 0; i < tokens; i += KvBlockShape::kTokens) {
      memory.emplace_back(static_cast<size_t>(shape.bytes()), uint8_t{0});
      pointers.push_back(memory.back().data());
    }
  }
};

constexpr int kSequences = 3, kTokens[kSequences] = {70, 33, 9};

std::vector<float> inputs() {
  mx::array x = random_array({kTokens[0] + kTokens[1] + kTokens[2], kChannels}, 99);
  mx::eval(x);
  return {x.data<float>(), x.data<float>() + x.size()};
}

/// All tokens of all sequences, `together` at a time from each, or one sequence after another.
std::vector<float> outputs(const Layer& layer, bool extras, int together, bool mixed,
                           const KvBlockShape& shape = kHalf) {
  std::vector<float> x = inputs();
  std::deque<Blocks> blocks;
  for (const int tokens : kTokens) blocks.emplace_back(shape, tokens);
  const LayerBranches* branches[kSequences] = {&layer.adapters[0], nullptr, &layer.adapters[1]};
  int done[kSequences] = {};
  for (bool more = true; more;) {
    more = false;
    std::vector<DecodeRow> rows;
    std::vector<size_t> from;
    const auto run = [&] {
      std::vector<float> part;
      for (const size_t at : from) part.insert(part.end(), &x[at], &x[at] + kChannels);
      decode_rows(layer.view, settings_with(extras), shape, 1, rows, part);
      for (size_t i = 0; i < from.size(); ++i)
        std::copy_n(&part[i * kChannels], kChannels, &x[from[i]]);
      rows.clear(), from.clear();
    };
    int first = 0;
    for (int s = 0; s < kSequences; first += kTokens[s++]) {
      const int count = std::min(together, kTokens[s] - done[s]);
      for (int i = 0; i < count; ++i, ++done[s]) {
        rows.push_back({done[s], blocks[static_cast<size_t>(s)].pointers.data(), branches[s]});
        from.push_back(static_cast<size_t>((first + done[s]) * kChannels));
      }
      more |= done[s] < kTokens[s];
      if (!mixed && !rows.empty()) run();
    }
    if (!rows.empty()) run();
  }
  return x;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("rows of several sequences equal decoding each token by token") {
    if (!use_cpu_kernels()) {
      MESSAGE("SKIPPED: no CPU kernels in this build");
      return;
    }
    for (const int bits : {0, 4, 8}) {
      for (const bool extras : {false, true}) {
        CAPTURE(bits);
        CAPTURE(extras);
        Layer layer(bits, extras);
        const std::vector<float> half = outputs(layer, extras, 5, true),
                                 int8 = outputs(layer, extras, 5, true, kInt8);
        std::vector<float> wanted = inputs();
        size_t at = 0;
        for (int s = 0; s < kSequences; ++s) {
          DecodeLayer one = layer.view;
          if (s != 1) {
            const LayerBranches& own = layer.adapters[s == 0 ? 0 : 1];
            const RowBranch* branches[7] = {&own.q,    &own.k,  &own.v,   &own.o,
                                            &own.gate, &own.up, &own.down};
            LinearTerms* maps[7] = {&one.q, &one.k, &one.v, &one.o, &one.gate, &one.up, &one.down};
            for (int i = 0; i < 7; ++i) {
              maps[i]->lora = branches[i]->lora;
              maps[i]->output_scale = branches[i]->output_scale;
            }
          }
          std::vector<float> keys(static_cast<size_t>(kTokens[s] * kKvHeads * kWidth)),
              values(keys.size());
          for (int t = 0; t < kTokens[s]; ++t, at += kChannels)
            decode_layer(one, settings_with(extras), t, {&wanted[at], kChannels}, keys.data(),
                         values.data());
        }
        const mx::Shape shape = {static_cast<int>(wanted.size())};
        const auto error = [&](const std::vector<float>& found) {
          return relative_error(mx::array(found.begin(), shape, mx::float32),
                                mx::array(wanted.begin(), shape, mx::float32));
        };
        CHECK(error(half) < 2e-3f);  // inputs are rounded to 16 bits, keys and values to f16
        CHECK(error(int8) < 5e-2f);
        CHECK(error(int8) > error(half));
      }
    }
  }

  TEST_CASE("a row's result does not depend on what else is in the pass - bit for bit") {
    if (!use_cpu_kernels()) {
      MESSAGE("SKIPPED: no CPU kernels in this build");
      return;
    }
    for (const int bits : {0, 4, 8}) {
      CAPTURE(bits);
      Layer layer(bits, true);
      const std::vector<float> alone = outputs(layer, true, 1, false);
      CHECK(outputs(layer, true, 1, true) == alone);
      CHECK(outputs(layer, true, 7, true) == alone);
      CHECK(outputs(layer, true, 100, true) == alone);
      CHECK(outputs(layer, true, 13, false) == alone);
      CHECK(outputs(layer, true, 9, true, kInt8) == outputs(layer, true, 1, false, kInt8));
    }
  }

  TEST_CASE("decode_rows refuses what does not fit") {
    Layer layer(0, false);
    std::vector<float> x(kChannels + 1);
    Blocks blocks(kHalf, 1);
    const DecodeRow row{0, blocks.pointers.data()};
    CHECK_THROWS_WITH_AS(decode_rows(layer.view, settings_with(false), kHalf, 0, {&row, 1}, x),
                         doctest::Contains("x must be 64"), Error);
  }
}

}  // namespace toolkit::tensor::test
