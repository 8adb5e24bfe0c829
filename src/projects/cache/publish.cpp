#include "projects/cache/publish.h"

#include <iterator>

#include "projects/cache/publish_hub.h"
#include "projects/cache/publish_lm_studio.h"
#include "projects/cache/publish_ollama.h"

namespace toolkit::cache {

std::vector<PublishedTo> publish_everywhere(Session& session,
                                            const model_store::ModelRecord& model) {
  std::vector<PublishedTo> done;
  if (auto hub = publish_to_hub(session, model)) done.push_back(std::move(*hub));
  auto ollama = publish_to_ollama(session, model);
  std::move(ollama.begin(), ollama.end(), std::back_inserter(done));
  if (auto lm_studio = publish_to_lm_studio(session, model)) done.push_back(std::move(*lm_studio));
  return done;
}

std::vector<model_store::Publication> published_everywhere(Session& session,
                                                           const model_store::ModelRecord& model) {
  std::vector<model_store::Publication> made;
  if (auto hub = published_in_hub(session, model)) made.push_back(std::move(*hub));
  auto ollama = published_in_ollama(session, model);
  std::move(ollama.begin(), ollama.end(), std::back_inserter(made));
  if (auto lm_studio = published_in_lm_studio(session, model))
    made.push_back(std::move(*lm_studio));
  return made;
}

void withdraw_everywhere(Session& session, const model_store::ModelRecord& model) {
  withdraw_from_hub(session, model);
  withdraw_from_ollama(session, model);
  withdraw_from_lm_studio(session, model);
}

}  // namespace toolkit::cache
