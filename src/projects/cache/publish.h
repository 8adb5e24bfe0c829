#pragma once

#include <string>
#include <vector>

#include "core/model_store/publication.h"
#include "core/model_store/registry/registry.h"
#include "projects/cache/session.h"

namespace toolkit::cache {

/// What became of a model in one program's store: "Hugging Face: 12 files, hard links".
struct PublishedTo {
  std::string program, what;
};

/// Makes a model of our store usable in the programs it fits: the Hugging Face cache (hf://
/// models), Ollama and LM Studio (models with a GGUF). A program that is not there is left out.
std::vector<PublishedTo> publish_everywhere(Session& session,
                                            const model_store::ModelRecord& model);

/// What publish_everywhere() made of a model that is there still: what withdraw_everywhere() takes.
std::vector<model_store::Publication> published_everywhere(Session& session,
                                                           const model_store::ModelRecord& model);

/// The way back, before `remove` and `clean` take the files.
void withdraw_everywhere(Session& session, const model_store::ModelRecord& model);

}  // namespace toolkit::cache
