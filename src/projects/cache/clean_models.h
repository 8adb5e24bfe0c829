#pragma once

#include <string>

#include "core/model_store/upkeep/clean.h"
#include "projects/cache/session.h"

namespace toolkit::cache {

/// What `clean` would remove now, by all stores of this machine and what we made in them.
model_store::CleanPlan plan_clean(
    Session& session, const model_store::Settings& rules,
    model_store::CleanRules which = model_store::CleanRules::kAgeAndSize);

/// Removes it, from the programs it was shown to as well. Returns freed bytes.
uint64_t apply_clean(Session& session, const model_store::CleanPlan& plan);

/// A sentence for people where `plan` leaves more than max_cache_size_gb; else "".
std::string stays_above(const model_store::CleanPlan& plan, double limit_gb);

/// "Ollama (hf.co/org/x:Q4_K_M), Hugging Face (org/x)": where else a model is taken from; or "".
std::string also_taken_from(const model_store::CleanItem& item);

}  // namespace toolkit::cache
