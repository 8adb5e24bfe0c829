#include "core/monitor/installed.h"

#include "core/monitor/sources/ollama_answers.h"
#include "core/monitor/sources/source.h"

namespace toolkit::monitor {

std::vector<LoadedModel> installed_models(const std::string& url, std::string& trouble) {
  Probe probe(url);
  std::vector<LoadedModel> models;
  if (const auto answer = probe.json("/api/tags", trouble)) {
    // /api/tags lists models as /api/ps does.
    if (auto listed = parse_ollama_ps(*answer)) models = std::move(listed->models);
    return models;
  }
  const auto answer = probe.answered() ? probe.json("/v1/models", trouble) : std::nullopt;
  if (!answer || !answer->is_object() || !answer->contains("data")) return models;
  for (const Json& entry : (*answer)["data"])
    if (const std::string id = text_of(entry, "id"); !id.empty()) models.push_back({.name = id});
  trouble.clear();
  return models;
}

}  // namespace toolkit::monitor
