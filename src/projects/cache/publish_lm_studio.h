#pragma once

#include <optional>

#include "projects/cache/publish.h"

namespace toolkit::cache {

/// A model that LM Studio can run linked into its folder, which is then noted as one of its users.
/// Empty for other models and where there is no LM Studio. What goes wrong is told in the result.
std::optional<PublishedTo> publish_to_lm_studio(Session& session,
                                                const model_store::ModelRecord& model);

/// What publish_to_lm_studio() made that is there still.
std::optional<model_store::Publication> published_in_lm_studio(
    Session& session, const model_store::ModelRecord& model);

/// Takes back what publish_to_lm_studio() made.
void withdraw_from_lm_studio(Session& session, const model_store::ModelRecord& model);

}  // namespace toolkit::cache
