#include <algorithm>
#include <vector>

#include "core/base/error.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"
#include "models/bert_parts.h"
#include "models/misfits.h"

namespace toolkit::models {

namespace {

/// Puts every tensor of the files into its place and collects what does not fit.
class BertLoader {
 public:
  explicit BertLoader(const checkpoint::ModelFiles& files) : files_(files) {
    // A model with a head on top keeps the encoder under its family's name.
    for (const char* outer : {"bert.", "roberta."})
      if (files.has(std::string(outer) + "embeddings.word_embeddings")) outer_ = outer;
  }

  void operator()(const std::string& path, nn::Linear& layer) {
    put_weight(path, layer.weight.data);
    put_bias(path, *layer.bias);
  }
  void operator()(const std::string& path, nn::Embedding& embedding) {
    put_weight(path, embedding.table.data);
  }
  void operator()(const std::string& path, nn::LayerNorm& norm) {
    put_weight(path, norm.weight);
    put_bias(path, norm.bias);
  }

  void finish(const std::string& family) {
    refuse_misfits(problems_, files_.path(), family);
    mx::eval(arrays_);
  }

 private:
  void put_weight(const std::string& path, mx::array& place) {
    if (!files_.has(outer_ + path)) {
      problems_.push_back(outer_ + path + ".weight is missing");
      return;
    }
    const tensor::Weight weight = files_.weight(outer_ + path);
    if (weight.quantized())
      problems_.push_back(outer_ + path + " is packed, which is not known of encoders");
    else
      put(outer_ + path + ".weight", weight.data, place);
  }

  void put_bias(const std::string& path, mx::array& place) {
    if (const std::optional<mx::array> bias = files_.bias(outer_ + path))
      put(outer_ + path + ".bias", *bias, place);
    else
      problems_.push_back(outer_ + path + ".bias is missing");
  }

  void put(const std::string& name, const mx::array& found, mx::array& place) {
    if (found.shape() != place.shape()) {
      problems_.push_back(fmt::format("{} is ({}), expected ({})", name,
                                      fmt::join(found.shape(), ", "),
                                      fmt::join(place.shape(), ", ")));
      return;
    }
    place = mx::astype(found, mx::float32);
    arrays_.push_back(place);
  }

  const checkpoint::ModelFiles& files_;
  std::string outer_;
  std::vector<std::string> problems_;
  std::vector<mx::array> arrays_;
};

}  // namespace

std::unique_ptr<BertEncoder> load_bert(const checkpoint::ModelFiles& files,
                                       tensor::Compute compute) {
  auto encoder = std::make_unique<BertEncoder>(
      bert_config_from_json(files.config_json(), files.path().string()));
  BertLoader loader(files);
  nn::Walker walker(loader);
  encoder->parts_->visit(walker);
  loader.finish(encoder->config().family);
  encoder->set_compute(compute);
  return encoder;
}

}  // namespace toolkit::models
