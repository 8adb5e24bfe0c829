#include "projects/serve/model_names.h"

#include <sys/stat.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/http/server/request.h"
#include "core/model_store/registry/registry.h"
#include "core/model_store/utc_time.h"
#include "models/resolve.h"
#include "projects/serve/api_error.h"

namespace toolkit::serve {

namespace {

/// What Ollama allows in a model's name; other characters become '-'.
std::string plain(std::string text) {
  text = lower_case(std::move(text));
  for (char& c : text)
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'))
      c = '-';
  return text;
}

int64_t changed_at(const std::filesystem::path& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 ? static_cast<int64_t>(status.st_mtime) : 0;
}

std::string with_tag(const std::string& name) {
  return name.find(':', name.rfind('/') == std::string::npos ? 0 : name.rfind('/')) ==
                 std::string::npos
             ? name + ":latest"
             : name;
}

}  // namespace

std::string lower_case(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

std::optional<HubReference> hub_reference(const std::string& name) {
  for (const std::string host : {"hf.co/", "huggingface.co/"}) {
    if (!name.starts_with(host)) continue;
    HubReference reference{.repository = name.substr(host.size())};
    if (const size_t colon = reference.repository.rfind(':'); colon != std::string::npos) {
      reference.tag = reference.repository.substr(colon + 1);
      reference.repository.resize(colon);
    }
    return reference;
  }
  return std::nullopt;
}

std::string ollama_name_of(const std::string& name) {
  if (name.starts_with("sample://")) {
    const std::string rest = name.substr(9);
    const size_t dash = rest.rfind('-');
    if (dash == std::string::npos) return rest + ":latest";
    return rest.substr(0, dash) + ":" + rest.substr(dash + 1);
  }
  if (name.starts_with("ollama://")) return with_tag(name.substr(9));
  if (name.starts_with("hf://")) {
    std::string rest = name.substr(5);
    if (const size_t at = rest.find('@'); at != std::string::npos) rest[at] = ':';
    return with_tag("hf.co/" + rest);
  }
  if (name.starts_with("ft:")) return plain(name) + ":latest";
  if (name.find('/') == std::string::npos && name.find("://") == std::string::npos &&
      !name.ends_with(".gguf"))
    return plain(name) + ":latest";
  std::filesystem::path path = name.substr(name.starts_with("file://") ? 7 : 0);
  if (path.filename().empty()) path = path.parent_path();
  return plain(path.extension() == ".gguf" ? path.stem().string() : path.filename().string()) +
         ":latest";
}

std::vector<ServedModel> installed_models() {
  std::vector<ServedModel> found;
  for (const auto& samples : {models::sample_models(), models::sample_encoders()})
    for (const models::SampleModel& sample : samples)
      if (!sample.path.empty())
        found.push_back({.name = sample.name,
                         .ollama_name = ollama_name_of(sample.name),
                         .base = sample.name,
                         .origin = ServedModel::Origin::kSample,
                         .created = changed_at(sample.path)});
  try {
    const auto layout = model_store::default_layout();
    if (!model_store::store_is_there(layout)) return found;
    auto registry = model_store::Registry::open(layout, store::OpenMode::kReadOnly);
    for (const model_store::ModelRecord& record : registry.models()) {
      if (record.state != "ready") continue;
      const std::string uri = record.name.uri();
      found.push_back({.name = uri,
                       .ollama_name = ollama_name_of(uri),
                       .base = uri,
                       .origin = ServedModel::Origin::kStore,
                       .created = model_store::parse_utc(record.downloaded_at).value_or(0)});
    }
  } catch (const Error& error) {  // the server answers for its other models
    log_warning("the models of mlx-cache cannot be listed: {}", error.what());
  }
  return found;
}

void ModelNames::add(ServedModel model) {
  if (model.ollama_name.empty()) model.ollama_name = ollama_name_of(model.name);
  if (model.created == 0)
    model.created =
        changed_at(model.adapter.empty() ? std::filesystem::path(model.base) : model.adapter);
  const std::lock_guard lock(mutex_);
  std::erase_if(added_, [&](const ServedModel& one) { return one.name == model.name; });
  added_.push_back(std::move(model));
}

bool ModelNames::remove(const std::string& name) {
  const std::lock_guard lock(mutex_);
  return std::erase_if(added_, [&](const ServedModel& one) { return one.name == name; }) > 0;
}

std::vector<ServedModel> ModelNames::list() const {
  std::vector<ServedModel> all;
  {
    const std::lock_guard lock(mutex_);
    all = added_;
  }
  for (ServedModel& model : installed ? installed() : installed_models())
    if (std::none_of(all.begin(), all.end(),
                     [&](const ServedModel& one) { return one.name == model.name; }))
      all.push_back(std::move(model));
  return all;
}

ServedModel ModelNames::find(const std::string& name) const {
  const std::vector<ServedModel> all = list();
  for (const ServedModel& model : all)
    if (model.name == name) return model;
  const std::string folded = with_tag(lower_case(name));
  for (const ServedModel& model : all)
    if (lower_case(model.ollama_name) == folded) return model;
  // Of a repository of the hub only one of its files is here, whatever the tag says.
  if (const auto hub = hub_reference(folded))
    for (const ServedModel& model : all)
      if (lower_case(model.name) == "hf://" + hub->repository) return model;
  std::string there;
  for (const ServedModel& model : all)
    if (there.size() < 300) there += (there.empty() ? "" : ", ") + model.name;
  throw ApiError(404,
                 fmt::format("model '{}' not found; there is {}", name.substr(0, 200),
                             there.empty() ? "none" : there),
                 "model", "model_not_found");
}

}  // namespace toolkit::serve
