#pragma once

#include "core/model_store/fetch/fetch.h"
#include "projects/cache/session.h"

namespace toolkit::cache {

/// Lets the running Ollama (OLLAMA_HOST) pull the model, with its own sign-in, proxy and store,
/// then offers what lies in that store: nothing is downloaded twice. Throws Error(kNetwork) when
/// nobody answers, Error(kNotFound) when that Ollama has another store than OLLAMA_MODELS.
model_store::Offer pull_through_ollama(Session& session, const model_store::OllamaName& name,
                                       bool quiet);

}  // namespace toolkit::cache
