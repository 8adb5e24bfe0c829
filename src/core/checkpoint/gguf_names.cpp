#include "core/checkpoint/gguf_names.h"

#include <algorithm>
#include <string_view>

#include "core/base/error.h"
#include "core/checkpoint/utf8.h"

namespace toolkit::checkpoint {

namespace {

constexpr GgufArchitecture kArchitectures[] = {
    {.name = "llama", .model_type = "llama", .class_name = "LlamaForCausalLM", .permuted = true},
    {.name = "qwen2", .model_type = "qwen2", .class_name = "Qwen2ForCausalLM"},
    {.name = "qwen3", .model_type = "qwen3", .class_name = "Qwen3ForCausalLM"},
    {.name = "smollm3",
     .model_type = "smollm3",
     .class_name = "SmolLM3ForCausalLM",
     .permuted = true},
    {.name = "gemma2", .model_type = "gemma2", .class_name = "Gemma2ForCausalLM", .gemma = true},
    {.name = "gemma3",
     .model_type = "gemma3_text",
     .class_name = "Gemma3ForCausalLM",
     .gemma = true},
};

struct Rename {
  std::string_view gguf, hugging_face;
};

constexpr Rename kOutside[] = {
    {"token_embd", "model.embed_tokens"}, {"output_norm", "model.norm"}, {"output", "lm_head"}};

constexpr Rename kInLayer[] = {
    {"attn_norm", "input_layernorm"},    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},      {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"}, {"attn_q_norm", "self_attn.q_norm"},
    {"attn_k_norm", "self_attn.k_norm"}, {"ffn_gate", "mlp.gate_proj"},
    {"ffn_up", "mlp.up_proj"},           {"ffn_down", "mlp.down_proj"}};

constexpr Rename kTwoNorms[] = {{"ffn_norm", "post_attention_layernorm"}};

constexpr Rename kFourNorms[] = {{"post_attention_norm", "post_attention_layernorm"},
                                 {"ffn_norm", "pre_feedforward_layernorm"},
                                 {"post_ffw_norm", "post_feedforward_layernorm"}};

template <size_t N>
const Rename* find_hugging_face(const Rename (&table)[N], std::string_view name) {
  const auto* found =
      std::find_if(table, table + N, [&](const Rename& row) { return row.hugging_face == name; });
  return found == table + N ? nullptr : found;
}

template <size_t N>
const Rename* find(const Rename (&table)[N], std::string_view name) {
  const auto* found =
      std::find_if(table, table + N, [&](const Rename& row) { return row.gguf == name; });
  return found == table + N ? nullptr : found;
}

}  // namespace

const GgufArchitecture& find_gguf_architecture(const std::string& name, const std::string& file) {
  std::string known;
  for (const GgufArchitecture& architecture : kArchitectures) {
    if (name == architecture.name) return architecture;
    known += (known.empty() ? "" : ", ") + std::string(architecture.name);
  }
  fail(ErrorKind::kUnsupported, "{}: the architecture '{}' is not supported; known: {}", file,
       printable(name), known);
}

std::optional<std::string> hf_module_of(const std::string& gguf_stem,
                                        const GgufArchitecture& architecture) {
  if (const Rename* row = find(kOutside, gguf_stem)) return std::string(row->hugging_face);
  if (!gguf_stem.starts_with("blk.")) return std::nullopt;
  const size_t dot = gguf_stem.find('.', 4);
  if (dot == std::string::npos) return std::nullopt;
  const std::string layer = gguf_stem.substr(4, dot - 4);
  // A number as it is written, so that no two names mean the same layer ("blk.01").
  const bool is_number = !layer.empty() && layer.size() < 6 && (layer == "0" || layer[0] != '0') &&
                         layer.find_first_not_of("0123456789") == std::string::npos;
  if (!is_number) return std::nullopt;
  const std::string_view inner = std::string_view(gguf_stem).substr(dot + 1);
  const Rename* row = find(kInLayer, inner);
  if (!row) row = architecture.gemma ? find(kFourNorms, inner) : find(kTwoNorms, inner);
  if (!row) return std::nullopt;
  return "model.layers." + layer + "." + std::string(row->hugging_face);
}

const GgufArchitecture& gguf_architecture_of(const std::string& model_type,
                                             const std::string& source) {
  std::string known = "mistral";
  for (const GgufArchitecture& architecture : kArchitectures) {
    if (model_type == architecture.model_type ||
        (model_type == "mistral" && architecture.name == std::string_view("llama")))
      return architecture;
    known += ", " + std::string(architecture.model_type);
  }
  fail(ErrorKind::kUnsupported, "{}: a model of type '{}' cannot be written as GGUF; known: {}",
       source, printable(model_type), known);
}

std::optional<std::string> gguf_stem_of(const std::string& module,
                                        const GgufArchitecture& architecture) {
  if (const Rename* row = find_hugging_face(kOutside, module)) return std::string(row->gguf);
  const std::string_view mark = "model.layers.";
  const size_t dot = module.find('.', mark.size());
  if (!module.starts_with(mark) || dot == std::string::npos) return std::nullopt;
  const std::string_view inner = std::string_view(module).substr(dot + 1);
  const Rename* row = find_hugging_face(kInLayer, inner);
  if (!row)
    row = architecture.gemma ? find_hugging_face(kFourNorms, inner)
                             : find_hugging_face(kTwoNorms, inner);
  if (!row) return std::nullopt;
  const std::string stem =
      "blk." + module.substr(mark.size(), dot - mark.size()) + "." + std::string(row->gguf);
  // The way back must lead here: that refuses "model.layers.x" and "model.layers.01".
  return hf_module_of(stem, architecture) == module ? std::optional(stem) : std::nullopt;
}

}  // namespace toolkit::checkpoint
