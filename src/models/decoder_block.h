#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "core/nn/linear.h"
#include "core/tensor/attention.h"
#include "models/decoder.h"

namespace toolkit::models {

/// Weights and settings of one attention layer.
struct Attention {
  nn::Linear q_proj, k_proj, v_proj, o_proj;
  std::optional<mx::array> q_norm, k_norm;  // (D)

  template <class V>
  void visit(V& v) {
    v("q_proj", q_proj), v("k_proj", k_proj), v("v_proj", v_proj), v("o_proj", o_proj);
    if (q_norm) v("q_norm", *q_norm), v("k_norm", *k_norm);
  }
};

struct Mlp {
  nn::Linear gate_proj, up_proj, down_proj;

  template <class V>
  void visit(V& v) {
    v("gate_proj", gate_proj), v("up_proj", up_proj), v("down_proj", down_proj);
  }
};

/// What every block of one forward pass needs to know.
struct BlockContext {
  const DecoderConfig* config;
  const std::vector<mx::array>* frequencies;  // of each DecoderConfig::Rope
  const mx::array* segments = nullptr;
  const SharedPrefix* shared = nullptr;
  KvCache* cache = nullptr;
  std::shared_ptr<tensor::AttentionMasks> masks = nullptr;  // of this pass
};

/// The residual stream between blocks. The sum `x + delta` is made inside the next block's first
/// norm, so that it costs no pass of its own.
struct Residual {
  mx::array x;                     // (B, T, C)
  std::optional<mx::array> delta;  // not there before the first block
};

/// One layer: attention and MLP, each between a norm and the residual stream.
struct DecoderBlock {
  DecoderBlock(const DecoderConfig& config, int index);

  int index;
  Attention self_attn;
  Mlp mlp;
  mx::array attention_norm, mlp_norm;                               // (C), before each half
  std::optional<mx::array> attention_output_norm, mlp_output_norm;  // Gemma: after each half too

  Residual operator()(const Residual& in, const BlockContext& context) const;

  template <class V>
  void visit(V& v) {
    v("self_attn", self_attn), v("mlp", mlp), v("input_layernorm", attention_norm);
    if (attention_output_norm) {
      v("post_attention_layernorm", *attention_output_norm),
          v("pre_feedforward_layernorm", mlp_norm);
      v("post_feedforward_layernorm", *mlp_output_norm);
    } else {
      v("post_attention_layernorm", mlp_norm);
    }
  }

 private:
  mx::array attend(const mx::array& normed, const BlockContext& context) const;
};

/// {x + delta, its norm}; x itself and its norm where there is no delta yet.
std::pair<mx::array, mx::array> normed_sum(const Residual& in, const mx::array& weight, float eps);

/// A layer of the given shape whose weight is zeros that cost no memory until it is replaced.
nn::Linear blank_linear(int in, int out, bool bias);

}  // namespace toolkit::models
