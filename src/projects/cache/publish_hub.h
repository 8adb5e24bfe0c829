#pragma once

#include <optional>

#include "projects/cache/publish.h"

namespace toolkit::cache {

/// An hf:// model of our store made visible to huggingface_hub, and the hub's cache noted as one of
/// its users. Empty for other models and for those that were only found there. What goes wrong is
/// told in the result: the model is in our store all the same.
std::optional<PublishedTo> publish_to_hub(Session& session, const model_store::ModelRecord& model);

/// What publish_to_hub() made that is there still.
std::optional<model_store::Publication> published_in_hub(Session& session,
                                                         const model_store::ModelRecord& model);

/// Takes back what publish_to_hub() made. Throws as hub::withdraw.
void withdraw_from_hub(Session& session, const model_store::ModelRecord& model);

}  // namespace toolkit::cache
