#pragma once

#include <optional>
#include <string>

namespace toolkit::checkpoint {

/// How an architecture of GGUF differs from Hugging Face's model of the same kind.
struct GgufArchitecture {
  const char* name;        // general.architecture
  const char* model_type;  // Hugging Face's
  const char* class_name;  // "LlamaForCausalLM"
  bool permuted = false;   // rows of q and k are in the order of interleaved rotation
  bool gemma = false;      // norms hold w + 1, four norms per layer, GELU
};

/// Throws Error(kUnsupported) naming the known ones.
const GgufArchitecture& find_gguf_architecture(const std::string& name, const std::string& file);

/// "blk.3.attn_q" -> "model.layers.3.self_attn.q_proj"; nothing for a name without counterpart.
std::optional<std::string> hf_module_of(const std::string& gguf_stem,
                                        const GgufArchitecture& architecture);

/// The architecture that a Hugging Face model_type is written as ("mistral": llama). Throws
/// Error(kUnsupported) naming the known ones.
const GgufArchitecture& gguf_architecture_of(const std::string& model_type,
                                             const std::string& source);

/// The reverse of hf_module_of.
std::optional<std::string> gguf_stem_of(const std::string& module,
                                        const GgufArchitecture& architecture);

}  // namespace toolkit::checkpoint
