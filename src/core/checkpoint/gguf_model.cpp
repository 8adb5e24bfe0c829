#include "core/checkpoint/gguf_model.h"

#include <algorithm>
#include <set>

#include "core/base/error.h"
#include "core/base/nearest.h"
#include "core/checkpoint/ggml_blocks.h"
#include "core/checkpoint/ggml_types.h"
#include "core/checkpoint/gguf_config.h"
#include "core/checkpoint/gguf_tensor.h"
#include "core/checkpoint/gguf_vocabulary.h"
#include "core/checkpoint/new_array.h"
#include "core/checkpoint/utf8.h"
#include "core/checkpoint/weight_form.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace toolkit::checkpoint {

namespace {

namespace fs = std::filesystem;

/// Row of the file that holds row r of Hugging Face's weight: within a head the file has the pairs
/// (i, i + D/2) beside each other.
std::vector<int> half_split_order(int rows, int heads) {
  const int size = rows / heads;
  std::vector<int> order(static_cast<size_t>(rows));
  for (int row = 0; row < rows; ++row) {
    const int head = row / size, within = row % size;
    order[static_cast<size_t>(row)] = head * size + 2 * (within % (size / 2)) + within / (size / 2);
  }
  return order;
}

class GgufModel : public ModelFiles, public KnownForms {
 public:
  explicit GgufModel(const fs::path& path)
      : path_(path),
        header_(read_gguf_header(path)),
        architecture_(find_gguf_architecture(header_.text("general.architecture").value_or(""),
                                             path.string())) {
    place_tensors();
    GgufTraits traits;
    const auto embedding = weights_.find("model.embed_tokens");
    if (embedding == weights_.end() || embedding->second->shape.size() != 2)
      fail(ErrorKind::kUserInput,
           "{}: expected a matrix token_embd.weight, found none; is this a model?", path_.string());
    traits.vocabulary_size = embedding->second->shape[0];
    traits.tied = !weights_.contains("lm_head");
    traits.attention_bias = biases_.contains("model.layers.0.self_attn.q_proj");
    traits.rope_factors = rope_factors_;
    config_ = config_from_gguf(header_, architecture_, traits, path_.string());
    vocabulary_ = vocabulary_of(header_, path_.string());
  }

  const fs::path& path() const override { return path_; }
  std::string config_json() const override { return config_.dump(2); }
  std::optional<std::string> tokenizer_json() const override {
    if (!vocabulary_) return std::nullopt;
    try {
      return text::tokenizer_json_from_gguf(*vocabulary_);
    } catch (const Error& error) {
      fail(error.kind(), "{}: {}", path_.string(), error.what());
    }
  }
  std::optional<std::string> chat_template() const override {
    return header_.text("tokenizer.chat_template");
  }
  std::string bos_token() const override { return vocabulary_ ? token_text(vocabulary_->bos) : ""; }
  std::string eos_token() const override { return vocabulary_ ? token_text(vocabulary_->eos) : ""; }
  std::vector<std::string> modules() const override { return modules_; }
  bool has(const std::string& module) const override { return weights_.contains(module); }
  uint64_t size_bytes() const override { return size_bytes_; }

  std::vector<int32_t> stop_ids() const override {
    std::vector<int32_t> ids;
    const auto add = [&](int64_t id) {
      if (id >= 0 && id < config_.at("vocab_size") &&
          std::find(ids.begin(), ids.end(), id) == ids.end())
        ids.push_back(static_cast<int32_t>(id));
    };
    if (vocabulary_) add(vocabulary_->eos);
    for (const char* key : {"eot", "eom"})
      add(header_.integer(std::string("tokenizer.ggml.") + key + "_token_id").value_or(-1));
    add_turn_ends(add);
    return ids;
  }

  tensor::Weight weight(const std::string& module) const override {
    const auto found = weights_.find(module);
    if (found == weights_.end())
      fail(ErrorKind::kNotFound, "{}: there is no weight for '{}'.{}", path_.string(),
           printable(module), did_you_mean(module, modules_));
    tensor::Weight weight = load_gguf_tensor(path_, *found->second);
    if (const int heads = permuted_heads(module); heads > 0) {
      const auto order =
          half_split_order(weight.data.shape(0), check_heads(module, weight.data.shape(0), heads));
      weight.data = reorder_rows(weight.data, order);
      if (weight.scales) weight.scales = reorder_rows(*weight.scales, order);
      if (weight.biases) weight.biases = reorder_rows(*weight.biases, order);
    }
    if (architecture_.gemma && module.ends_with("norm") && !weight.quantized())
      weight.data = minus_one(weight.data);
    return weight;
  }

  std::optional<WeightForm> known_form(const std::string& module) const override {
    const auto found = weights_.find(module);
    if (found == weights_.end()) return std::nullopt;
    const GgufTensor& tensor = *found->second;
    WeightForm form{.shape = {}, .dtype = mx::float16};
    for (const int64_t size : tensor.shape) form.shape.push_back(static_cast<mx::ShapeElem>(size));
    if (has_affine_form(tensor.type)) {
      form.bits = affine_bits(tensor.type);
      form.group_size = 32;
      form.block_type = tensor.type;
    } else if (tensor.type == kGgmlF32 || (architecture_.gemma && module.ends_with("norm"))) {
      form.dtype = mx::float32;
    } else if (tensor.type == kGgmlBF16) {
      form.dtype = mx::bfloat16;
    }
    return form;
  }

  std::optional<text::GgufVocabulary> gguf_vocabulary() const override { return vocabulary_; }

  std::optional<mx::array> bias(const std::string& module) const override {
    const auto found = biases_.find(module);
    if (found == biases_.end()) return std::nullopt;
    const tensor::Weight bias = load_gguf_tensor(path_, *found->second);
    if (bias.quantized())
      fail(ErrorKind::kUnsupported, "{}: the bias '{}' is packed", path_.string(),
           found->second->name);
    const int heads = permuted_heads(module);
    if (heads == 0) return bias.data;
    const int rows = bias.data.shape(0);
    return reorder_rows(bias.data, half_split_order(rows, check_heads(module, rows, heads)));
  }

 private:
  void place_tensors() {
    for (const GgufTensor& tensor : header_.tensors) {
      size_bytes_ += tensor.size_bytes;
      if (tensor.name == "rope_freqs.weight") {
        read_rope_factors(tensor);
        continue;
      }
      const size_t dot = tensor.name.rfind('.');
      const std::string stem = tensor.name.substr(0, dot);
      const std::string ending = dot == std::string::npos ? "" : tensor.name.substr(dot);
      // A name without counterpart keeps its own: whoever loads the model then names it as unknown.
      const std::string module = hf_module_of(stem, architecture_).value_or(stem);
      if (ending == ".bias") {
        biases_.emplace(module, &tensor);
      } else {
        const std::string name = ending == ".weight" ? module : tensor.name;
        weights_.emplace(name, &tensor);
        modules_.push_back(name);
      }
    }
  }

  void read_rope_factors(const GgufTensor& tensor) {
    const tensor::Weight weight = load_gguf_tensor(path_, tensor);
    if (weight.data.dtype() != mx::float32 || weight.data.ndim() != 1)
      fail(ErrorKind::kUnsupported, "{}: expected rope_freqs.weight to be a list of F32",
           path_.string());
    rope_factors_.assign(weight.data.data<float>(), weight.data.data<float>() + weight.data.size());
  }

  /// Heads whose rows are permuted in this module's weight; 0 if none are.
  int permuted_heads(const std::string& module) const {
    if (!architecture_.permuted) return 0;
    if (module.ends_with("self_attn.q_proj")) return config_.at("num_attention_heads").get<int>();
    if (module.ends_with("self_attn.k_proj")) return config_.at("num_key_value_heads").get<int>();
    return 0;
  }

  int check_heads(const std::string& module, int rows, int heads) const {
    if (rows % (int64_t{2} * heads) != 0)
      fail(ErrorKind::kUserInput,
           "{}: '{}' has {} rows, which do not divide into {} heads of an even size",
           path_.string(), module, rows, heads);
    return heads;
  }

  static mx::array minus_one(const mx::array& norm) {
    mx::array result = mx::subtract(mx::astype(norm, mx::float32), mx::array(1.0f));
    mx::eval(result);
    return result;
  }

  std::string token_text(int32_t id) const {
    return id < 0 ? "" : vocabulary_->tokens[static_cast<size_t>(id)];
  }

  /// Files of older converters name only one end; a control token that the chat template writes
  /// after a turn ends one too.
  template <class Add>
  void add_turn_ends(const Add& add) const {
    const std::string chat = chat_template().value_or("");
    if (!vocabulary_ || vocabulary_->types.empty()) return;
    static const std::set<std::string> kTurnEnds = {"<|im_end|>", "<|eot_id|>",    "<end_of_turn>",
                                                    "<|end|>",    "<|endoftext|>", "</s>"};
    for (size_t i = 0; i < vocabulary_->tokens.size(); ++i) {
      const std::string& token = vocabulary_->tokens[i];
      const bool control = vocabulary_->types[i] == 3 || vocabulary_->types[i] == 4;
      if (control && kTurnEnds.contains(token) && chat.find(token) != std::string::npos)
        add(static_cast<int64_t>(i));
    }
  }

  fs::path path_;
  GgufHeader header_;
  const GgufArchitecture& architecture_;
  Json config_;
  std::optional<text::GgufVocabulary> vocabulary_;
  std::map<std::string, const GgufTensor*> weights_, biases_;  // into header_
  std::vector<std::string> modules_;
  std::vector<float> rope_factors_;
  uint64_t size_bytes_ = 0;
};

}  // namespace

std::unique_ptr<ModelFiles> open_gguf_model(const fs::path& path) {
  return std::make_unique<GgufModel>(path);
}

}  // namespace toolkit::checkpoint
