#include "projects/cache/clean_models.h"

#include <fmt/format.h>

#include <chrono>
#include <set>

#include "core/files/disk_space.h"
#include "core/files/safe_path.h"
#include "core/http/client.h"
#include "core/model_store/ollama/server.h"
#include "core/model_store/utc_time.h"
#include "projects/cache/publish.h"
#include "projects/cache/stores.h"

namespace toolkit::cache {

using model_store::CleanItem;
using model_store::CleanPlan;
using model_store::ModelRecord;

namespace {

/// Asked once and not for long: most often nobody is there.
std::set<std::string> loaded_in_ollama(Session& session) {
  http::ClientSettings settings;
  settings.retry.attempts = 1;
  settings.connect_timeout = settings.stall_timeout = std::chrono::seconds(3);
  http::Client client(settings);
  std::set<std::string> digests;
  for (const auto& model :
       model_store::ollama::Server(client, session.environment().ollama_host).loaded())
    digests.insert(model.digest);
  return digests;
}

}  // namespace

CleanPlan plan_clean(Session& session, const model_store::Settings& rules,
                     model_store::CleanRules which) {
  model_store::UseEvidence evidence;
  for (auto& inventory : read_stores(session))
    if (inventory.place != model_store::Place::kCache)
      evidence.others.push_back(std::move(inventory));
  evidence.publications = [&](const ModelRecord& model) {
    return published_everywhere(session, model);
  };
  evidence.loaded = [&] { return loaded_in_ollama(session); };
  return model_store::plan_clean(session.registry(), session.layout(), rules, evidence,
                                 model_store::now_s(), which);
}

uint64_t apply_clean(Session& session, const CleanPlan& plan) {
  return model_store::apply_clean(
      session.registry(), session.layout(), plan,
      [&](const ModelRecord& model) { withdraw_everywhere(session, model); });
}

std::string stays_above(const CleanPlan& plan, double limit_gb) {
  const double limit = limit_gb * 1e9;
  if (limit <= 0 || static_cast<double>(plan.size_after_bytes) <= limit) return "";
  return fmt::format("The cache stays above {}: what is left is in use or came today.",
                     files::shown_bytes(static_cast<uint64_t>(limit)));
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
