#include "projects/cache/publish_ollama.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/files/disk_space.h"
#include "core/files/link.h"
#include "core/files/safe_path.h"
#include "core/model_store/ollama/manifest.h"
#include "core/model_store/ollama/store_folder.h"

namespace toolkit::cache {

namespace fs = std::filesystem;

namespace {

using model_store::Metadata;
using model_store::Source;

constexpr const char* kProgram = "Ollama";
constexpr size_t kLongestPart = 80;

std::string lowered(std::string_view text) {
  std::string result(text);
  for (char& letter : result)
    letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  return result;
}

/// Letters, digits, '-', '_' and '.', the first of them no sign: what a part of a name may be.
std::string as_part(std::string_view text) {
  std::string part;
  for (const char letter : text)
    part += std::isalnum(static_cast<unsigned char>(letter)) || letter == '_' || letter == '.'
                ? letter
                : '-';
  while (!part.empty() && !std::isalnum(static_cast<unsigned char>(part.front()))) part.erase(0, 1);
  return part.empty() ? "model" : part.substr(0, kLongestPart);
}

bool is_split(const std::string& name) {
  const std::string stem = fs::path(name).stem().string();
  const size_t of = stem.rfind("-of-");
  return of != stem.npos && of + 4 < stem.size() &&
         std::all_of(stem.begin() + static_cast<long>(of) + 4, stem.end(),
                     [](unsigned char letter) { return std::isdigit(letter); });
}

model_store::OllamaName name_for(const Metadata& metadata, const std::string& gguf) {
  model_store::OllamaName name;
  if (metadata.name.source == Source::kHuggingFace) {
    const model_store::HubName hub = model_store::hub_name(metadata.name);
    const size_t slash = hub.repository.find('/');
    name.host = "hf.co";
    name.name_space = slash == hub.repository.npos ? "models" : hub.repository.substr(0, slash);
    // No dots in this part, by Ollama's rules.
    std::replace(name.name_space.begin(), name.name_space.end(), '.', '-');
    name.model = as_part(hub.repository.substr(slash == hub.repository.npos ? 0 : slash + 1));
    name.tag = ollama_tag_of(gguf);
    if (hub.revision != "main") name.tag = as_part(name.tag + "-" + hub.revision);
  } else {
    name.name_space = "local";
    name.model = as_part(fs::path(gguf).stem().string());
  }
  return name;
}

bool has_ollama(const fs::path& models) {
  return files::resolved_identity(models).has_value();
}

/// Between two volumes only copies are possible: their space is looked for first.
void check_space(const fs::path& model, const fs::path& ollama, uint64_t size_bytes) {
  if (!files::can_link(model, ollama, files::LinkKind::kHardLink) &&
      !files::can_link(model, ollama, files::LinkKind::kClone))
    files::require_disk_space(ollama, size_bytes);
}

}  // namespace

std::string ollama_tag_of(std::string_view gguf_name) {
  const std::string stem = fs::path(gguf_name).stem().string();
  for (size_t at = stem.size(); at > 0; --at) {
    if (stem[at - 1] != '-' && stem[at - 1] != '.') continue;
    const std::string last = lowered(stem.substr(at));
    const bool quantized = last.size() >= 2 && (last[0] == 'q' || last.starts_with("iq")) &&
                           std::isdigit(static_cast<unsigned char>(last[last[0] == 'q' ? 1 : 2]));
    if (quantized || last == "f16" || last == "f32" || last == "bf16" || last.starts_with("mxfp"))
      return as_part(stem.substr(at));
  }
  return as_part(stem);
}

std::vector<OllamaModel> ollama_models_of(const Metadata& metadata) {
  if (metadata.name.source == Source::kOllama)
    return {{model_store::ollama_name(metadata.name), "", ""}};
  std::vector<OllamaModel> models;
  std::set<std::string> tags;
  std::string projector;
  for (const auto& file : metadata.files)
    if (file.name.ends_with(".gguf") && lowered(file.name).find("mmproj") != std::string::npos)
      projector = projector.empty() ? file.name : projector;
  for (const auto& file : metadata.files) {
    if (!file.name.ends_with(".gguf") || is_split(file.name) ||
        lowered(file.name).find("mmproj") != std::string::npos)
      continue;
    OllamaModel model{name_for(metadata, file.name), file.name, projector};
    const auto shown = [&] { return lowered(model.name.model + ":" + model.name.tag); };
    if (!tags.insert(shown()).second) {  // two quantizations of one name, in two folders
      model.name.tag = as_part(file.name.substr(0, file.name.size() - 5));
      if (!tags.insert(shown()).second) continue;
    }
    models.push_back(std::move(model));
  }
  return models;
}

std::vector<std::string> split_ggufs_of(const Metadata& metadata) {
  std::vector<std::string> firsts;
  for (const auto& file : metadata.files)
    if (file.name.ends_with(".gguf") && is_split(file.name) &&
        file.name.find("-00001-of-") != std::string::npos)
      firsts.push_back(file.name);
  return firsts;
}

std::vector<PublishedTo> publish_to_ollama(Session& session,
                                           const model_store::ModelRecord& model) {
  const fs::path& ollama = session.environment().ollama_models;
  if (model.is_symlink || !has_ollama(ollama)) return {};
  std::vector<PublishedTo> done;
  try {
    const auto metadata = model_store::read_metadata(model.local_path);
    if (!metadata) return {};
    for (const std::string& first : split_ggufs_of(*metadata))
      done.push_back(
          {kProgram, fmt::format("not shown: {} is one of several parts, and Ollama reads "
                                 "a model from one file; `llama-gguf-split --merge` makes "
                                 "it one, which `mlx-cache add file:///...` then shows",
                                 files::escaped(first))});
    const auto models = ollama_models_of(*metadata);
    if (models.empty()) return done;
    check_space(model.local_path, ollama, metadata->size_bytes());
    for (const OllamaModel& one : models) {
      const std::string what = model_store::ollama::publish(
          ollama, one.name, *metadata, model.local_path, one.gguf, one.projector);
      done.push_back(
          {kProgram, fmt::format("{}: {}", model_store::to_model_name(one.name).identifier, what)});
    }
    session.registry().put_app(kProgram, ollama, model_store::AppKind::kProgram);
    session.registry().use(model.name, ollama);
  } catch (const Error& error) {
    log_warning("{}: {} not published: {}", kProgram, model.name.uri(), error.what());
    done.push_back({kProgram, fmt::format("not published: {}", error.what())});
  }
  return done;
}

std::vector<model_store::Publication> published_in_ollama(Session& session,
                                                          const model_store::ModelRecord& model) {
  const fs::path& ollama = session.environment().ollama_models;
  std::vector<model_store::Publication> made;
  if (model.is_symlink || !has_ollama(ollama)) return made;
  const auto metadata = model_store::read_metadata(model.local_path);
  if (!metadata) return made;
  for (const OllamaModel& one : ollama_models_of(*metadata))
    if (auto there = model_store::ollama::published(ollama, one.name, *metadata, model.local_path))
      made.push_back(std::move(*there));
  return made;
}

void withdraw_from_ollama(Session& session, const model_store::ModelRecord& model) {
  const fs::path& ollama = session.environment().ollama_models;
  if (model.is_symlink || !has_ollama(ollama)) return;
  const auto metadata = model_store::read_metadata(model.local_path);
  if (!metadata) return;
  for (const OllamaModel& one : ollama_models_of(*metadata))
    model_store::ollama::withdraw(ollama, one.name, *metadata, model.local_path, one.gguf,
                                  one.projector);
}

}  // namespace toolkit::cache
