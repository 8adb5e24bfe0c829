#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/model_store/metadata.h"
#include "core/model_store/name.h"
#include "projects/cache/publish.h"

namespace toolkit::cache {

/// One model that Ollama is shown: its name there, and which files of ours it is made of.
struct OllamaModel {
  model_store::OllamaName name;
  std::string gguf;       // empty: by the manifest it came with
  std::string projector;  // or empty
};

/// Under which names a model of ours appears in Ollama: its own for ollama://,
/// hf.co/org/repo:Q4_K_M for each GGUF of a repository (what `ollama pull` of it is called),
/// local/<name> for a local one. Split GGUFs are left out (Ollama reads none).
std::vector<OllamaModel> ollama_models_of(const model_store::Metadata& metadata);

/// The part of a GGUF's file name that says how it is quantized ("Q4_K_M"), else all of it, in
/// letters that Ollama takes for a tag.
std::string ollama_tag_of(std::string_view gguf_name);

/// Shows a model to Ollama, whose store is then noted as one of its users. Nothing for a model
/// without GGUF or where there is no Ollama. What goes wrong is told in the result.
std::vector<PublishedTo> publish_to_ollama(Session& session, const model_store::ModelRecord& model);

/// What publish_to_ollama() made that is there still.
std::vector<model_store::Publication> published_in_ollama(Session& session,
                                                          const model_store::ModelRecord& model);

/// Takes back what publish_to_ollama() made.
void withdraw_from_ollama(Session& session, const model_store::ModelRecord& model);

/// First parts of GGUFs in several parts ("m-00001-of-00003.gguf"): Ollama reads a model from one
/// file.
std::vector<std::string> split_ggufs_of(const model_store::Metadata& metadata);

}  // namespace toolkit::cache
