#include "core/checkpoint/write/gguf_writer.h"

#include <algorithm>
#include <map>

#include "core/base/error.h"
#include "core/checkpoint/ggml_types.h"
#include "core/checkpoint/new_array.h"
#include "core/checkpoint/utf8.h"
#include "core/checkpoint/weight_form.h"
#include "core/checkpoint/write/gguf_file.h"
#include "core/checkpoint/write/gguf_metadata.h"
#include "core/checkpoint/write/gguf_tensors.h"
#include "core/text/tokenizer_to_gguf.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace toolkit::checkpoint {

namespace {

mx::array in_order(const mx::array& array, const std::vector<int>& order) {
  mx::array whole = mx::contiguous(array);
  whole.eval();
  return reorder_rows(whole, order);
}

tensor::Weight in_order(tensor::Weight weight, const std::vector<int>& order) {
  if (order.empty()) return weight;
  weight.data = in_order(weight.data, order);
  if (weight.scales) weight.scales = in_order(*weight.scales, order);
  if (weight.biases) weight.biases = in_order(*weight.biases, order);
  return weight;
}

/// Number of a file's kind (general.file_type): that of most of its matrices' values.
uint32_t file_type(const std::vector<GgufPlan>& tensors) {
  std::map<uint32_t, uint64_t> bytes;
  for (const GgufPlan& tensor : tensors)
    if (tensor.shape.size() == 2) bytes[tensor.type] += tensor.size_bytes();
  uint32_t most = kGgmlF32;
  for (const auto& [type, size] : bytes)
    if (size > bytes[most]) most = type;
  switch (most) {
    case kGgmlF16:
      return 1;
    case kGgmlQ4_0:
      return 2;
    case kGgmlQ4_1:
      return 3;
    case kGgmlQ8_0:
      return 7;
    case kGgmlBF16:
      return 32;
    default:
      return 0;
  }
}

text::GgufVocabulary vocabulary_of_model(const ModelFiles& model, const Json& config) {
  if (auto own = gguf_vocabulary_of(model)) return *own;
  const std::string source = model.path().string() + ": tokenizer";
  const auto json = model.tokenizer_json();
  if (!json)
    fail(ErrorKind::kUserInput, "{}: there is no tokenizer.json, which a GGUF needs", source);
  return text::gguf_vocabulary_from_tokenizer(*json,
                                              {.bos = model.bos_token(), .eos = model.eos_token()},
                                              config.value("vocab_size", 0), source);
}

class Planner {
 public:
  Planner(const ModelFiles& model, const Json& config, const GgufArchitecture& architecture)
      : model_(model), config_(config), architecture_(architecture) {}

  std::vector<GgufPlan> plan() {
    const bool tied = config_.value("tie_word_embeddings", Json(false)) == true;
    for (const std::string& module : model_.modules()) {
      if (module.ends_with("rotary_emb.inv_freq") || (tied && module == "lm_head")) continue;
      const auto stem = gguf_stem_of(module, architecture_);
      if (!stem)
        fail(ErrorKind::kUnsupported, "{}: GGUF's {} has no name for the module '{}'",
             model_.path().string(), architecture_.name, printable(module));
      add_weight(module, *stem);
      add_bias(module, *stem);
    }
    add_rope_divisors();
    // As files of llama.cpp have them: what is outside of layers first, then layer by layer.
    std::stable_sort(plans_.begin(), plans_.end(), [](const GgufPlan& a, const GgufPlan& b) {
      return layer(a.name) < layer(b.name);
    });
    return std::move(plans_);
  }

 private:
  static int layer(const std::string& name) {
    return name.starts_with("blk.") ? std::atoi(name.c_str() + 4) : -1;
  }

  void add_weight(const std::string& module, const std::string& stem) {
    const WeightForm form = form_of(model_, module);
    const bool norm = form.shape.size() == 1;
    const std::vector<int> order =
        norm ? std::vector<int>{} : gguf_row_order(module, form.shape[0], config_, architecture_);
    if (form.packed() && !form.block_type)
      fail(ErrorKind::kInternal, "'{}' is packed in groups that GGUF's blocks cannot hold", module);
    const uint32_t type = norm            ? uint32_t{kGgmlF32}
                          : form.packed() ? *form.block_type
                                          : dense_ggml_type(form.dtype);
    const bool add_one = norm && architecture_.gemma;
    plans_.push_back({stem + ".weight",
                      type,
                      {form.shape.begin(), form.shape.end()},
                      [this, module, type, order, add_one] {
                        tensor::Weight weight = in_order(model_.weight(module), order);
                        if (add_one)
                          weight.data =
                              mx::add(mx::astype(weight.data, mx::float32), mx::array(1.0f));
                        return gguf_bytes(weight, type);
                      }});
  }

  void add_bias(const std::string& module, const std::string& stem) {
    const std::optional<mx::array> bias = model_.bias(module);
    if (!bias) return;
    const int rows = bias->shape(0);
    const std::vector<int> order = gguf_row_order(module, rows, config_, architecture_);
    plans_.push_back({stem + ".bias", kGgmlF32, {rows}, [this, module, order] {
                        return gguf_bytes(
                            in_order(tensor::Weight{.data = *model_.bias(module)}, order),
                            kGgmlF32);
                      }});
  }

  void add_rope_divisors() {
    const std::vector<float> divisors = rope_divisors(config_, model_.path().string());
    if (divisors.empty()) return;
    plans_.push_back(
        {"rope_freqs.weight", kGgmlF32, {static_cast<int64_t>(divisors.size())}, [divisors] {
           const auto* bytes = reinterpret_cast<const uint8_t*>(divisors.data());
           return std::vector<uint8_t>(bytes, bytes + divisors.size() * sizeof(float));
         }});
  }

  const ModelFiles& model_;
  const Json& config_;
  const GgufArchitecture& architecture_;
  std::vector<GgufPlan> plans_;
};

}  // namespace

std::vector<int> gguf_row_order(const std::string& module, int rows, const Json& config,
                                const GgufArchitecture& architecture) {
  const bool query = module.ends_with("self_attn.q_proj"),
             key = module.ends_with("self_attn.k_proj");
  if (!architecture.permuted || (!query && !key)) return {};
  const Json heads_given = config.value("num_attention_heads", Json(0));
  const int heads =
      query ? heads_given.get<int>() : config.value("num_key_value_heads", heads_given).get<int>();
  if (heads < 1 || rows % (int64_t{2} * heads) != 0)
    fail(ErrorKind::kUserInput,
         "'{}' has {} rows, which do not divide into {} heads of an even size", module, rows,
         heads);
  const int size = rows / heads;
  std::vector<int> order(static_cast<size_t>(rows));
  for (int row = 0; row < rows; ++row) {
    const int head = row / size, within = row % size;
    order[static_cast<size_t>(row)] = head * size + within % 2 * (size / 2) + within / 2;
  }
  return order;
}

void save_gguf(const std::filesystem::path& path, const ModelFiles& model,
               const GgufSaveOptions& options) {
  const std::string source = model.path().string();
  const Json config = parse_json(model.config_json(), source);
  const GgufArchitecture& architecture =
      gguf_architecture_of(config.value("model_type", ""), source);
  Planner planner(model, config, architecture);  // its plans refer to it
  const std::vector<GgufPlan> tensors = planner.plan();
  GgufMetadata metadata;
  metadata.text("general.architecture", architecture.name);
  metadata.text("general.type", "model");
  if (!options.name.empty()) metadata.text("general.name", options.name);
  metadata.u32("general.file_type", file_type(tensors));
  metadata.u32("general.quantization_version", 2);
  add_model_keys(config, architecture, source, metadata);
  add_tokenizer_keys(vocabulary_of_model(model, config), model.stop_ids(), metadata);
  if (const auto chat = model.chat_template()) metadata.text("tokenizer.chat_template", *chat);
  save_gguf_file(path, metadata, tensors, options.progress);
}

}  // namespace toolkit::checkpoint
