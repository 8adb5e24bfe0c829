#include "models/decoder.h"

#include <functional>

#include "core/base/error.h"
#include "core/tensor/attention.h"
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

/// The arrays of a block, in the order of its members.
struct BlockArrays {
  std::vector<mx::array*>& found;
  void operator()(const std::string&, nn::Linear& layer) {
    found.push_back(&layer.weight.data);
    if (layer.bias) found.push_back(&*layer.bias);
    if (!layer.lora) return;
    found.push_back(&layer.lora->a);
    found.push_back(&layer.lora->b);
    if (layer.dora) found.push_back(&layer.dora->magnitude);
  }
  void operator()(const std::string&, mx::array& norm) { found.push_back(&norm); }
};

std::vector<mx::array*> arrays_of(DecoderBlock& block) {
  std::vector<mx::array*> found;
  BlockArrays collect{found};
  nn::Walker walker(collect);
  block.visit(walker);
  return found;
}

/// Runs a block so that only its inputs are kept and the rest is computed again in the backward
/// pass. What is trained (a tracer now) must be an explicit input: gradients reach inputs only.
Residual run_checkpointed(const DecoderBlock& block, const Residual& in,
                          const BlockContext& context) {
  DecoderBlock copy = block;  // members are handles; the copy outlives this call inside the graph
  std::vector<mx::array> inputs = {in.x};
  if (in.delta) inputs.push_back(*in.delta);
  const size_t first_trained = inputs.size();
  std::vector<size_t> trained;  // which of the block's arrays
  const std::vector<mx::array*> arrays = arrays_of(copy);
  for (size_t i = 0; i < arrays.size(); ++i) {
    if (!arrays[i]->is_tracer()) continue;
    trained.push_back(i);
    inputs.push_back(*arrays[i]);
  }
  std::optional<mx::array> segments;
  std::optional<SharedPrefix> shared;
  if (context.segments) segments = *context.segments;
  if (context.shared) shared = *context.shared;
  const auto run = [copy, context, segments, shared, first_trained,
                    trained](const std::vector<mx::array>& given) {
    DecoderBlock with_inputs = copy;
    const std::vector<mx::array*> places = arrays_of(with_inputs);
    for (size_t i = 0; i < trained.size(); ++i) *places[trained[i]] = given[first_trained + i];
    BlockContext inner = context;
    inner.segments = segments ? &*segments : nullptr;
    inner.shared = shared ? &*shared : nullptr;
    Residual residual{given[0], std::nullopt};
    if (first_trained == 2) residual.delta = given[1];
    const Residual out = with_inputs(residual, inner);
    return std::vector<mx::array>{out.x, *out.delta};
  };
  const std::vector<mx::array> out = mx::checkpoint(run)(inputs);
  return {out[0], out[1]};
}

/// Names every array of the model; `layers` marks the decoder's layers in a path.
struct ParameterList {
  using Kind = ModelParameter::Kind;
  std::vector<ModelParameter>& found;

  static int layer_of(const std::string& path) {
    constexpr std::string_view kMark = "layers.";
    const size_t at = path.find(kMark);
    return at == std::string::npos ? -1 : std::atoi(path.c_str() + at + kMark.size());
  }
  void add(const std::string& name, Kind kind, mx::array& array) {
    found.push_back({name, kind, layer_of(name), array.shape(), false, {&array}});
  }
  void add(const std::string& name, Kind kind, tensor::Weight& weight) {
    const mx::Shape shape = {weight.rows(), weight.columns()};
    found.push_back({name, kind, layer_of(name), shape, weight.quantized(), {&weight.data}});
  }
  void operator()(const std::string& path, nn::Linear& layer) {
    add(path + ".weight", Kind::kMatrix, layer.weight);
    if (layer.bias) add(path + ".bias", Kind::kBias, *layer.bias);
  }
  void operator()(const std::string& path, nn::Embedding& embedding) {
    add(path + ".weight", Kind::kEmbedding, embedding.table);
  }
  void operator()(const std::string& path, mx::array& norm) {
    add(path + ".weight", Kind::kNorm, norm);
  }
};

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
  const BlockContext context{&c,
                             &parts_->frequencies,
                             options.segments,
                             options.shared,
                             options.cache,
                             std::make_shared<tensor::AttentionMasks>()};
  Residual residual{parts_->embed_tokens(ids), std::nullopt};
  const mx::Dtype type = residual.x.dtype();
  if (options.embedding_noise)
    residual.x = mx::add(residual.x, mx::astype(*options.embedding_noise, type));
  if (c.embedding_scale != 1.0f)
    residual.x = mx::multiply(residual.x, mx::array(c.embedding_scale, type));
  for (const DecoderBlock& block : parts_->layers)
    residual = options.checkpoint_layers ? run_checkpointed(block, residual, context)
                                         : block(residual, context);
  if (options.cache) options.cache->advance(ids.shape(1));
  return normed_sum(residual, parts_->norm, c.norm_eps).second;
}

mx::array Decoder::logits(const mx::array& hidden) const {
  const mx::array raw = mx::astype(parts_->lm_head(hidden), mx::float32);
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

std::vector<ModelParameter> Decoder::parameters() {
  std::vector<ModelParameter> found;
  ParameterList collect{found};
  nn::Walker walker(collect);
  parts_->visit(walker);
  if (parts_->config.tied_embeddings)
    found.front().places.push_back(&parts_->lm_head.weight.data);  // the table is visited first
  return found;
}

void Decoder::set_trained(std::set<std::string> names) {
  size_t known = 0;
  for (const ModelParameter& parameter : parameters()) {
    if (!names.contains(parameter.name)) continue;
    if (parameter.quantized)
      fail(ErrorKind::kInternal, "{} is quantized and cannot be trained", parameter.name);
    ++known;
  }
  if (known != names.size())
    fail(ErrorKind::kInternal, "set_trained: {} of {} names are parameters", known, names.size());
  parts_->trained = std::move(names);
}

namespace {

struct Expander {
  const std::set<std::string>& names;
  int64_t grown = 0;

  static int64_t bytes_of(const tensor::Weight& weight) {
    int64_t bytes = static_cast<int64_t>(weight.data.nbytes());
    if (weight.scales) bytes += static_cast<int64_t>(weight.scales->nbytes());
    if (weight.biases) bytes += static_cast<int64_t>(weight.biases->nbytes());
    return bytes;
  }
  bool expand(const std::string& path, tensor::Weight& weight) {
    if (!names.contains(path + ".weight")) return false;
    if (!weight.quantized() && weight.data.dtype() == mx::float32) return false;
    const int64_t before = bytes_of(weight);
    weight = {.data = tensor::dequantized(weight, mx::float32)};
    mx::eval(weight.data);
    grown += bytes_of(weight) - before;
    return true;
  }
  void operator()(const std::string& path, nn::Linear& layer) {
    if (expand(path, layer.weight)) layer.prepared = nullptr;
  }
  void operator()(const std::string& path, nn::Embedding& embedding) {
    expand(path, embedding.table);
  }
  void operator()(const std::string&, mx::array&) {}  // norms and biases are f32 from the start
};

}  // namespace

int64_t Decoder::make_dense(const std::set<std::string>& names) {
  Expander expander{names};
  nn::Walker walker(expander);
  parts_->visit(walker);
  if (parts_->config.tied_embeddings && names.contains("model.embed_tokens.weight")) {
    parts_->lm_head.weight = parts_->embed_tokens.table;
    parts_->lm_head.prepared = nullptr;
  }
  return expander.grown;
}

const std::set<std::string>& Decoder::trained() const {
  return parts_->trained;
}

int64_t Decoder::parameter_count() const {
  Counter counter;
  nn::Walker walker(counter);
  parts_->visit(walker);
  return counter.count;
}

void Decoder::set_compute(tensor::Compute compute) {
  parts_->embed_tokens.compute = compute;
  auto layers = linears();
  if (parts_->config.tied_embeddings) layers.emplace_back("lm_head", &parts_->lm_head);
  for (auto& [path, layer] : layers) {
    layer->compute = compute;
    layer->prepared = tensor::prepare(layer->weight, compute);
  }
}

}  // namespace toolkit::models
