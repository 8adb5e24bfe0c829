#include "core/tensor/decode_layer.h"

#include <optional>

#include "core/base/error.h"
#include "core/tensor/attention.h"
#include "core/tensor/compare_test.h"
#include "core/tensor/rms_norm.h"
#include "core/tensor/rope.h"

namespace toolkit::tensor::test {

namespace {

constexpr int kChannels = 64, kHeads = 6, kKvHeads = 2, kWidth = 32, kInner = 96, kCapacity = 300;

/// A random layer that owns what a DecodeLayer points at.
struct Layer {
  std::vector<Weight> weights;
  std::vector<LoraBranch> branches;
  std::vector<mx::array> biases;
  Arrays norms;
  mx::array frequencies = mx::zeros({1});
  DecodeLayer view{};

  Layer(int bits, bool extras) {
    const int sizes[7][2] = {{kHeads * kWidth, kChannels},
                             {kKvHeads * kWidth, kChannels},
                             {kKvHeads * kWidth, kChannels},
                             {kChannels, kHeads * kWidth},
                             {kInner, kChannels},
                             {kInner, kChannels},
                             {kChannels, kInner}};
    int seed = 0;
    for (const auto& [rows, columns] : sizes) {
      const mx::array dense = random_array({rows, columns}, ++seed, 0.1f);
      if (bits == 0) {
        weights.push_back({.data = dense});
      } else {
        const auto parts = mx::quantize(dense, 32, bits);
        weights.push_back({parts[0], parts[1], parts[2], 32, bits});
      }
      branches.push_back({random_array({columns, 11}, ++seed, 0.1f),
                          random_array({11, rows}, ++seed, 0.1f), 0.5f});
      biases.push_back(random_array({rows}, ++seed, 0.1f));
    }
    for (const int size : {kChannels, kChannels, kWidth, kWidth, kChannels, kChannels})
      norms.push_back(random_array({size}, ++seed));
    frequencies = mx::array({1.0f, 0.3f, 0.1f, 0.03f, 0.01f, 0.003f, 0.001f, 0.0003f});
    for (const Weight& weight : weights) {
      mx::eval(weight.data);
      if (weight.quantized()) mx::eval(*weight.scales, *weight.biases);
    }
    for (const LoraBranch& branch : branches) mx::eval(branch.a, branch.b);
    mx::eval(biases), mx::eval(norms), mx::eval(frequencies);
    LinearTerms* maps[7] = {&view.q, &view.k, &view.v, &view.o, &view.gate, &view.up, &view.down};
    for (size_t i = 0; i < 7; ++i) {
      maps[i]->weight = &weights[i];
      if (extras) maps[i]->lora = &branches[i], maps[i]->bias = &biases[i];
    }
    view.attention_norm = &norms[0];
    view.mlp_norm = &norms[1];
    view.frequencies = &frequencies;
    if (!extras) return;
    view.q_norm = &norms[2], view.k_norm = &norms[3];
    view.attention_output_norm = &norms[4], view.mlp_output_norm = &norms[5];
    view.window = 40;
    view.rope_scale = 1.2f;
  }
};

/// The same layer from ops, for all tokens at once: x (1, T, C).
mx::array layer_from_ops(const DecodeLayer& layer, const DecodeSettings& s, mx::array x) {
  const int tokens = x.shape(1);
  const auto norm = [&](const mx::array& in, const mx::array* weight) {
    return weight ? rms_norm(in, *weight, s.norm_eps) : in;
  };
  const auto heads = [&](const LinearTerms& map, const mx::array& in, int count) {
    return mx::reshape(linear(in, map), {1, tokens, count, s.head_dim});
  };
  const mx::array normed = norm(x, layer.attention_norm);
  const mx::array q = norm(heads(layer.q, normed, s.heads), layer.q_norm);
  const mx::array k = norm(heads(layer.k, normed, s.kv_heads), layer.k_norm);
  const mx::array seen = attention(
      rope(q, *layer.frequencies, 0, layer.rope_scale),
      rope(k, *layer.frequencies, 0, layer.rope_scale), heads(layer.v, normed, s.kv_heads),
      {.scale = s.attention_scale, .window = layer.window, .softcap = s.attention_softcap});
  const mx::array joined = mx::reshape(seen, {1, tokens, s.heads * s.head_dim});
  x = mx::add(x, norm(linear(joined, layer.o), layer.attention_output_norm));
  const mx::array inner = norm(x, layer.mlp_norm);
  const mx::array gated =
      gated_activation(linear(inner, layer.gate), linear(inner, layer.up), s.gate);
  return mx::add(x, norm(linear(gated, layer.down), layer.mlp_output_norm));
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("decoding token by token equals the ops on the whole row") {
    if (!use_cpu_kernels()) {
      MESSAGE("SKIPPED: no CPU kernels in this build");
      return;
    }
    for (const int bits : {0, 4, 8}) {
      for (const bool extras : {false, true}) {
        CAPTURE(bits);
        CAPTURE(extras);
        const Layer layer(bits, extras);
        const DecodeSettings settings{.heads = kHeads,
                                      .kv_heads = kKvHeads,
                                      .head_dim = kWidth,
                                      .norm_eps = 1e-5f,
                                      .attention_scale = 0.18f,
                                      .attention_softcap = extras ? 5.0f : 0.0f,
                                      .gate = extras ? Gate::kGeluTanh : Gate::kSilu};
        REQUIRE(can_decode(layer.view));
        const mx::array x = random_array({1, kCapacity, kChannels}, 99);
        use_plain_graph(true);
        mx::array wanted = layer_from_ops(layer.view, settings, x);
        wanted.eval();
        use_plain_graph(false);
        std::vector<float> keys(kCapacity * kKvHeads * kWidth), values(keys.size());
        std::vector<float> found(x.data<float>(), x.data<float>() + x.size());
        for (int t = 0; t < kCapacity; ++t)
          decode_layer(layer.view, settings, t, {found.data() + t * kChannels, kChannels},
                       keys.data(), values.data());
        CHECK(relative_error(mx::array(found.begin(), x.shape(), mx::float32), wanted) < 5e-5f);
      }
    }
  }

  TEST_CASE("decode_head equals norm and linear") {
    if (!use_cpu_kernels()) {
      MESSAGE("SKIPPED: no CPU kernels in this build");
      return;
    }
    const mx::array norm = random_array({kChannels}, 1), x = random_array({1, kChannels}, 2);
    const Weight weight{.data = random_array({50, kChannels}, 3)};
    mx::eval(norm, x, weight.data);
    std::vector<float> logits(50);
    decode_head(norm, {.weight = &weight}, 1e-5f, {x.data<float>(), kChannels}, logits);
    const mx::array wanted = linear(rms_norm(x, norm, 1e-5f), {.weight = &weight});
    CHECK(relative_error(mx::array(logits.begin(), {1, 50}, mx::float32), wanted) < 1e-5f);
  }

  TEST_CASE(
      "decode_layer refuses a layer that does not fit the settings; unread weights cannot decode") {
    const Layer layer(0, false);
    const DecodeSettings settings{.heads = kHeads + 1,
                                  .kv_heads = kKvHeads,
                                  .head_dim = kWidth,
                                  .norm_eps = 1e-5f,
                                  .attention_scale = 1.0f};
    std::vector<float> x(kChannels);
    CHECK_THROWS_WITH_AS(decode_layer(layer.view, settings, 0, x, nullptr, nullptr),
                         doctest::Contains("q must be 224"), Error);
    use_plain_graph(true);
    CHECK_FALSE(can_decode(layer.view));
    use_plain_graph(false);
    const Weight lazy{.data = mx::transpose(mx::zeros({8, 4}))};
    CHECK_FALSE(can_decode(LinearTerms{.weight = &lazy}));
  }
}

}  // namespace toolkit::tensor::test
