#include "models/decoder.h"

#include <functional>

#include "core/base/error.h"
#include "core/tensor/rms_norm.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"
#include "models/decoder_parts.h"
#include "models/kv_cache.h"

namespace toolkit::models {

namespace {

/// Calls one function for each kind of member; the others are passed by.
struct LinearsOnly {
  std::vector<std::pair<std::string, nn::Linear*>>& found;
  void operator()(const std::string& path, nn::Linear& layer) { found.emplace_back(path, &layer); }
  void operator()(const std::string&, nn::Embedding&) {}
  void operator()(const std::string&, mx::array&) {}
};

struct Counter {
  int64_t count = 0;
  void add(const tensor::Weight& weight) { count += int64_t{weight.rows()} * weight.columns(); }
  void operator()(const std::string&, nn::Linear& layer) {
    add(layer.weight);
    if (layer.bias) count += static_cast<int64_t>(layer.bias->size());
  }
  void operator()(const std::string&, nn::Embedding& embedding) { add(embedding.table); }
  void operator()(const std::string&, mx::array& array) {
    count += static_cast<int64_t>(array.size());
  }
};

/// Runs a block so that only its inputs are kept and the rest is computed again in the backward
/// pass. What is trained must be an explicit input: gradients reach inputs only.
Residual run_checkpointed(const DecoderBlock& block, const Residual& in,
                          const BlockContext& context) {
  DecoderBlock copy = block;  // members are handles; the copy outlives this call inside the graph
  std::vector<mx::array> inputs = {in.x};
  if (in.delta) inputs.push_back(*in.delta);
  const size_t first_branch = inputs.size();
  std::vector<std::pair<std::string, nn::Linear*>> linears;
  const auto for_each_branch = [](DecoderBlock& target, const auto& use) {
    std::vector<std::pair<std::string, nn::Linear*>> found;
    LinearsOnly collect{found};
    nn::Walker walker(collect);
    target.visit(walker);
    for (auto& [path, layer] : found)
      if (layer->lora) use(*layer->lora);
  };
  for_each_branch(copy, [&](tensor::LoraBranch& branch) {
    inputs.push_back(branch.a);
    inputs.push_back(branch.b);
  });
  std::optional<mx::array> segments;
  std::optional<SharedPrefix> shared;
  if (context.segments) segments = *context.segments;
  if (context.shared) shared = *context.shared;
  const auto run = [copy, context, segments, shared, first_branch,
                    for_each_branch](const std::vector<mx::array>& given) {
    DecoderBlock with_inputs = copy;
    size_t next = first_branch;
    for_each_branch(with_inputs, [&](tensor::LoraBranch& branch) {
      branch.a = given[next++];
      branch.b = given[next++];
    });
    BlockContext inner = context;
    inner.segments = segments ? &*segments : nullptr;
    inner.shared = shared ? &*shared : nullptr;
    Residual residual{given[0], std::nullopt};
    if (first_branch == 2) residual.delta = given[1];
    const Residual out = with_inputs(residual, inner);
    return std::vector<mx::array>{out.x, *out.delta};
  };
  const std::vector<mx::array> out = mx::checkpoint(run)(inputs);
  return {out[0], out[1]};
}

}  // namespace

Decoder::Parts::Parts(DecoderConfig c)
    : config(std::move(c)),
      embed_tokens{{.data = mx::zeros({config.vocabulary_size, config.hidden_size}, mx::float32)}},
      norm(mx::ones({config.hidden_size}, mx::float32)),
      lm_head{.weight = embed_tokens.table} {
  for (int i = 0; i < config.num_layers; ++i) layers.emplace_back(config, i);
  for (const DecoderConfig::Rope& rope : config.ropes)
    frequencies.emplace_back(rope.frequencies.data(),
                             mx::Shape{static_cast<int>(rope.frequencies.size())}, mx::float32);
}

Decoder::Decoder(DecoderConfig config) : parts_(std::make_unique<Parts>(std::move(config))) {}
Decoder::~Decoder() = default;
Decoder::Decoder(Decoder&&) noexcept = default;

mx::array Decoder::hidden(const mx::array& ids, const ForwardOptions& options) const {
  const DecoderConfig& c = parts_->config;
  if (ids.ndim() != 2)
    fail(ErrorKind::kInternal, "ids must be (B, T), found {} dimensions", ids.ndim());
  if (options.segments && options.cache)
    fail(ErrorKind::kInternal, "packed rows and a cache do not go together");
  if (options.shared && !options.segments)
    fail(ErrorKind::kInternal, "a shared prefix needs packed rows");
  const BlockContext context{&c, &parts_->frequencies, options.segments, options.shared,
                             options.cache};
  Residual residual{parts_->embed_tokens(ids), std::nullopt};
  if (c.embedding_scale != 1.0f)
    residual.x = mx::multiply(residual.x, mx::array(c.embedding_scale));
  for (const DecoderBlock& block : parts_->layers)
    residual = options.checkpoint_layers ? run_checkpointed(block, residual, context)
                                         : block(residual, context);
  if (options.cache) options.cache->advance(ids.shape(1));
  return normed_sum(residual, parts_->norm, c.norm_eps).second;
}

mx::array Decoder::logits(const mx::array& hidden) const {
  const mx::array raw = parts_->lm_head(hidden);
  const float cap = parts_->config.logit_softcap;
  if (cap == 0.0f) return raw;
  return mx::multiply(mx::tanh(mx::divide(raw, mx::array(cap))), mx::array(cap));
}

tensor::LinearTerms Decoder::head() const {
  return parts_->lm_head.terms();
}

const DecoderConfig& Decoder::config() const {
  return parts_->config;
}

std::vector<std::pair<std::string, nn::Linear*>> Decoder::linears() {
  std::vector<std::pair<std::string, nn::Linear*>> found;
  LinearsOnly collect{found};
  nn::Walker walker(collect);
  parts_->visit(walker);
  return found;
}

int64_t Decoder::parameter_count() const {
  Counter counter;
  nn::Walker walker(counter);
  parts_->visit(walker);
  return counter.count;
}

void Decoder::set_compute(tensor::Compute compute) {
  auto layers = linears();
  if (parts_->config.tied_embeddings) layers.emplace_back("lm_head", &parts_->lm_head);
  for (auto& [path, layer] : layers) {
    layer->compute = compute;
    layer->prepared = tensor::prepare(layer->weight, compute);
  }
}

}  // namespace toolkit::models
