#include "projects/cache/clean_models.h"

#include <fmt/format.h>

#include "core/files/safe_path.h"
#include "core/model_store/utc_time.h"
#include "projects/cache/publish.h"
#include "projects/cache/stores.h"

namespace toolkit::cache {

using model_store::CleanItem;
using model_store::CleanPlan;
using model_store::ModelRecord;

CleanPlan plan_clean(Session& session, const model_store::Settings& rules,
                     model_store::CleanRules which) {
  model_store::UseEvidence evidence;
  for (auto& inventory : read_stores(session))
    if (inventory.place != model_store::Place::kCache)
      evidence.others.push_back(std::move(inventory));
  evidence.publications = [&](const ModelRecord& model) {
    return published_everywhere(session, model);
  };
  return model_store::plan_clean(session.registry(), session.layout(), rules, evidence,
                                 model_store::now_s(), which);
}

uint64_t apply_clean(Session& session, const CleanPlan& plan) {
  return model_store::apply_clean(
      session.registry(), session.layout(), plan,
      [&](const ModelRecord& model) { withdraw_everywhere(session, model); });
}

std::string also_taken_from(const CleanItem& item) {
  std::string text;
  for (const auto& publication : item.publications)
    if (!publication.listing.empty())
      text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", place_name(publication.place),
                          files::escaped(publication.name));
  return text;
}

}  // namespace toolkit::cache
