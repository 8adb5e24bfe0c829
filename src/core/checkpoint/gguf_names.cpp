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

}  // namespace toolkit::checkpoint
