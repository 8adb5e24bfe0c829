#pragma once

#include <string>
#include <vector>

#include "core/checkpoint/gguf_header.h"
#include "core/hash/digest.h"

namespace toolkit::model_store::ollama {

/// The config blob (ConfigV2) that Ollama keeps beside a GGUF: model_format, model_family,
/// model_families, model_type ("134.52M"), file_type ("Q4_1"), from the file's checked header;
/// `layers` are the digests of the manifest's layers, in its order.
std::string config_of_gguf(const checkpoint::GgufHeader& header,
                           const std::vector<hash::Digest>& layers);

/// How a conversation is written for a model, as Ollama has it: a Go template and the texts that
/// end an answer.
struct ConversationBlobs {
  std::string template_text;
  std::string params;  // {"stop":[...]}
};

/// By the marks in a model's own chat template (ChatML, Llama 2 and 3, Gemma, Mistral, Phi-3,
/// Zephyr). Both empty for others: Ollama then hands the prompt over as it is.
ConversationBlobs conversation_of_template(const std::string& chat_template);
ConversationBlobs conversation_of_gguf(const checkpoint::GgufHeader& header);

}  // namespace toolkit::model_store::ollama
