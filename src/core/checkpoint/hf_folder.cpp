#include "core/checkpoint/hf_folder.h"

#include "core/base/error.h"
#include "core/base/nearest.h"
#include "core/checkpoint/hf_quantization.h"
#include "core/checkpoint/hf_shards.h"
#include "core/checkpoint/hf_texts.h"
#include "core/checkpoint/input_file.h"
#include "core/checkpoint/safetensors_dtypes.h"
#include "core/checkpoint/utf8.h"
#include "core/checkpoint/weight_form.h"
#include "mlx/ops.h"

namespace toolkit::checkpoint {

namespace {

namespace fs = std::filesystem;

constexpr size_t kTokenizerLimit = size_t{256} << 20;
const std::string kWeight = ".weight";

class HfFolder : public ModelFiles, public KnownForms {
 public:
  explicit HfFolder(const fs::path& folder)
      : folder_(folder),
        texts_(read_hf_texts(folder)),
        quantization_(texts_.config, (folder / "config.json").string()),
        tensors_(find_tensors(folder)) {
    for (const auto& [name, place] : tensors_) {
      size_bytes_ += place.entry.end - place.entry.begin;
      if (name.ends_with(kWeight)) modules_.push_back(name.substr(0, name.size() - kWeight.size()));
    }
  }

  const fs::path& path() const override { return folder_; }
  std::string config_json() const override { return texts_.config_text; }
  std::optional<std::string> chat_template() const override { return texts_.chat_template; }
  std::string bos_token() const override { return texts_.bos_token; }
  std::string eos_token() const override { return texts_.eos_token; }
  std::vector<int32_t> stop_ids() const override { return texts_.stop_ids; }
  std::vector<std::string> modules() const override { return modules_; }
  bool has(const std::string& module) const override { return tensors_.contains(module + kWeight); }
  uint64_t size_bytes() const override { return size_bytes_; }

  std::optional<std::string> tokenizer_json() const override {
    const fs::path path = folder_ / "tokenizer.json";
    if (!fs::exists(path)) return std::nullopt;
    return read_text(path, kTokenizerLimit);
  }

  tensor::Weight weight(const std::string& module) const override {
    const std::optional<mx::array> data = load(module + kWeight);
    if (!data)
      fail(ErrorKind::kNotFound, "{}: there is no weight for '{}'.{}", folder_.string(),
           printable(module), did_you_mean(module, modules_));
    tensor::Weight weight{*data, load(module + ".scales"), load(module + ".biases"), 0, 0};
    if (weight.quantized())
      quantization_.apply(module, weight);
    else if (!mx::issubdtype(data->dtype(), mx::floating) || data->dtype() == mx::float64)
      fail(ErrorKind::kUnsupported,
           "{}: '{}' has the dtype {}; expected BF16, F16, F32, or packed with scales",
           folder_.string(), printable(module), tensors_.at(module + kWeight).entry.dtype);
    return weight;
  }

  std::optional<WeightForm> known_form(const std::string& module) const override {
    const auto found = tensors_.find(module + kWeight);
    if (found == tensors_.end()) return std::nullopt;
    std::optional<mx::array> data = blank(module + kWeight);
    if (!data) return std::nullopt;
    tensor::Weight weight{*data, blank(module + ".scales"), blank(module + ".biases"), 0, 0};
    if (weight.quantized())
      quantization_.apply(module, weight);
    else if (!mx::issubdtype(data->dtype(), mx::floating))
      return std::nullopt;
    return form_of(weight);
  }

  std::optional<mx::array> bias(const std::string& module) const override {
    return load(module + ".bias");
  }

 private:
  /// An array of the tensor's shape that is never made.
  std::optional<mx::array> blank(const std::string& name) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) return std::nullopt;
    const auto dtype = mlx_dtype(found->second.entry.dtype);
    if (!dtype) return std::nullopt;
    mx::Shape shape;
    for (const int64_t size : found->second.entry.shape)
      shape.push_back(static_cast<mx::ShapeElem>(size));
    return mx::zeros(shape, *dtype);
  }

  std::optional<mx::array> load(const std::string& name) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) return std::nullopt;
    return load_safetensors_tensor(found->second.file, name, found->second.entry);
  }

  fs::path folder_;
  HfTexts texts_;
  QuantizationSettings quantization_;
  std::map<std::string, PlacedTensor> tensors_;
  std::vector<std::string> modules_;
  uint64_t size_bytes_ = 0;
};

}  // namespace

std::unique_ptr<ModelFiles> open_hf_folder(const fs::path& folder) {
  return std::make_unique<HfFolder>(folder);
}

}  // namespace toolkit::checkpoint
