#include <algorithm>
#include <set>

#include "core/base/error.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"
#include "models/decoder.h"
#include "models/decoder_parts.h"
#include "models/misfits.h"

namespace toolkit::models {

namespace {

/// Names of a checkpoint: picture models keep their language half under one of two prefixes.
class StoredNames {
 public:
  explicit StoredNames(const checkpoint::ModelFiles& files) {
    if (files.has("model.embed_tokens")) return;
    if (files.has("language_model.model.embed_tokens")) outer_ = "language_model.";
    if (files.has("model.language_model.embed_tokens")) inner_ = "language_model.";
  }

  std::string operator()(const std::string& path) const {
    if (!inner_.empty() && path.starts_with("model.")) return "model." + inner_ + path.substr(6);
    return outer_ + path;
  }
  /// Whether a tensor belongs to the picture half, which is not read.
  bool foreign(const std::string& stored) const {
    if (outer_.empty() && inner_.empty()) return false;
    return stored.find("vision") != std::string::npos ||
           stored.find("multi_modal_projector") != std::string::npos;
  }

 private:
  std::string outer_, inner_;
};

std::string shape_text(const tensor::Weight& weight) {
  return weight.data.ndim() == 1 ? fmt::format("({})", weight.data.shape(0))
                                 : fmt::format("({}, {})", weight.rows(), weight.columns());
}

/// Puts every tensor of the files into its place and collects what does not fit.
class Loader {
 public:
  Loader(const checkpoint::ModelFiles& files, bool norm_adds_one, const BasePacking& packing)
      : files_(files), names_(files), norm_adds_one_(norm_adds_one), packing_(packing) {}

  void operator()(const std::string& path, nn::Linear& layer) {
    load_matrix(path, layer.weight);
    if (packing_.bits > 0 && path.find("layers.") != std::string::npos) pack(layer.weight);
    const std::optional<mx::array> bias = files_.bias(names_(path));
    if (!bias && layer.bias) problems_.push_back(names_(path) + ".bias is missing");
    if (bias && !layer.bias) problems_.push_back(names_(path) + ".bias is not part of this model");
    if (!bias || !layer.bias) return;
    if (bias->shape() != layer.bias->shape())
      problems_.push_back(fmt::format("{}.bias has {} values, expected {}", names_(path),
                                      bias->size(), layer.bias->size()));
    layer.bias = mx::astype(*bias, mx::float32);
    keep(*layer.bias);
  }

  void operator()(const std::string& path, nn::Embedding& embedding) {
    load_matrix(path, embedding.table);
  }

  void operator()(const std::string& path, mx::array& norm) {
    const std::optional<tensor::Weight> weight = find(path);
    if (!weight) return;
    if (weight->quantized() || weight->data.shape() != norm.shape()) {
      problems_.push_back(
          fmt::format("{} is {}, expected ({})", names_(path), shape_text(*weight), norm.shape(0)));
      return;
    }
    norm = mx::astype(weight->data, mx::float32);
    if (norm_adds_one_) norm = mx::add(norm, mx::array(1.0f));
    keep(norm);
  }

  /// Modules nobody asked for, but for those a tied head may bring along.
  void check_unknown(bool tied) {
    for (const std::string& module : files_.modules()) {
      if (used_.contains(module) || names_.foreign(module)) continue;
      if (tied && module == names_("lm_head")) continue;
      if (module.ends_with("rotary_emb.inv_freq") || module.ends_with("rotary_emb")) continue;
      problems_.push_back(module + " is not part of this model");
    }
  }

  void finish(const std::string& family) {
    refuse_misfits(problems_, files_.path(), family);
    mx::eval(arrays_);
  }

 private:
  std::optional<tensor::Weight> find(const std::string& path) {
    const std::string stored = names_(path);
    used_.insert(stored);
    if (files_.has(stored)) return files_.weight(stored);
    problems_.push_back(stored + ".weight is missing");
    return std::nullopt;
  }

  void load_matrix(const std::string& path, tensor::Weight& place) {
    std::optional<tensor::Weight> weight = find(path);
    if (!weight) return;
    if (weight->data.ndim() != 2 || weight->rows() != place.rows() ||
        weight->columns() != place.columns()) {
      problems_.push_back(fmt::format("{} is {}, expected ({}, {})", names_(path),
                                      shape_text(*weight), place.rows(), place.columns()));
      return;
    }
    place = std::move(*weight);
    keep(place.data);
    if (place.scales) keep(*place.scales);
    if (place.biases) keep(*place.biases);
  }

  /// Before the next weight is read, so that only one lies there dense.
  void pack(tensor::Weight& weight) {
    if (weight.quantized() || weight.data.shape(1) % packing_.group_size != 0) return;
    const std::vector<mx::array> packed =
        mx::quantize(weight.data, packing_.group_size, packing_.bits);
    arrays_.pop_back();  // the dense weight
    weight = {.data = packed[0],
              .scales = packed[1],
              .biases = packed[2],
              .group_size = packing_.group_size,
              .bits = packing_.bits};
    mx::eval(packed);
  }

  void keep(const mx::array& array) { arrays_.push_back(array); }

  const checkpoint::ModelFiles& files_;
  StoredNames names_;
  bool norm_adds_one_;
  BasePacking packing_;
  std::set<std::string> used_;
  std::vector<std::string> problems_;
  std::vector<mx::array> arrays_;
};

}  // namespace

std::map<std::string, checkpoint::WeightForm> stored_forms(const checkpoint::ModelFiles& files,
                                                           Decoder& model) {
  constexpr std::string_view kWeight = ".weight";
  const StoredNames names(files);
  std::map<std::string, checkpoint::WeightForm> forms;
  for (const ModelParameter& parameter : model.parameters()) {
    if (!parameter.name.ends_with(kWeight)) continue;
    const std::string path = parameter.name.substr(0, parameter.name.size() - kWeight.size());
    if (files.has(names(path)))
      forms.emplace(parameter.name, checkpoint::form_of(files, names(path)));
  }
  return forms;
}

std::unique_ptr<Decoder> load_decoder(const checkpoint::ModelFiles& files, tensor::Compute compute,
                                      const BasePacking& packing) {
  auto decoder = std::make_unique<Decoder>(
      decoder_config_from_json(files.config_json(), files.path().string()));
  Decoder::Parts& parts = *decoder->parts_;
  Loader loader(files, parts.config.norm_adds_one, packing);
  nn::Walker walker(loader);
  parts.visit(walker);
  loader.check_unknown(parts.config.tied_embeddings);
  loader.finish(parts.config.family);
  if (parts.config.tied_embeddings) parts.lm_head.weight = parts.embed_tokens.table;
  decoder->set_compute(compute);
  return decoder;
}

}  // namespace toolkit::models
