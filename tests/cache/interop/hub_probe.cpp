#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <vector>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/model_store/hub/cache_folder.h"
#include "core/model_store/hub/endpoint.h"

// The hub part of mlx-cache alone, for hub_cache.py:
//   hub_probe read HUB_CACHE                            what lies in a cache, as JSON
//   hub_probe offer ENDPOINT ORG/NAME[@REV] [PATTERN]   what `add` would fetch (PATTERN: ignored
//   files) hub_probe publish|withdraw HUB_CACHE METADATA.json MODEL_FOLDER
namespace {

using namespace toolkit;
using namespace toolkit::model_store;

Json digest_json(const hash::Digest& digest) {
  return (digest.algorithm == hash::Algorithm::kSha256 ? "sha256:" : "git:") + digest.hex;
}

Json read(const std::string& folder) {
  const Inventory inventory = hub::read_cache(folder);
  Json models = Json::array();
  for (const StoredModel& model : inventory.models) {
    Json files = Json::object();
    for (const StoredFile& file : model.files)
      files[file.name] = {{"path", file.path.string()},
                          {"size", file.identity.size_bytes},
                          {"claimed", file.claimed ? digest_json(*file.claimed) : Json()},
                          {"replaceable", !file.policy.empty()}};
    models.push_back({{"name", model.name.identifier},
                      {"path", model.path.string()},
                      {"revision", model.revision},
                      {"not_shareable", model.not_shareable},
                      {"files", files}});
  }
  return {{"present", inventory.present}, {"problems", inventory.problems}, {"models", models}};
}

HubName name_of(const std::string& text) {
  HubName name;
  const size_t at = text.find('@');
  name.repository = text.substr(0, at);
  if (at != std::string::npos) name.revision = text.substr(at + 1);
  return name;
}

Json offer(const std::string& endpoint, const std::string& text,
           const std::vector<std::string>& ignore) {
  Environment environment;
  environment.hub_endpoint = endpoint;
  http::Client client({.retry = {.attempts = 3, .first_delay = std::chrono::milliseconds(1)}});
  const HubName name = name_of(text);
  const Offer offer = hub::make_offer(environment, name,
                                      hub::read_repository(client, environment, name), {}, ignore);
  Json files = Json::array();
  for (const OfferedFile& file : offer.files)
    files.push_back({{"name", file.name},
                     {"size", file.size_bytes},
                     {"digest", file.digest.hex},
                     {"url", file.request.url.text()}});
  return {{"name", offer.name.identifier},
          {"revision", offer.revision},
          {"partial", offer.partial},
          {"files", files}};
}

Metadata metadata_of(const std::string& path) {
  const Json json = parse_json(read_file(path), path);
  Metadata metadata;
  metadata.name = to_model_name(name_of(json.at("name").get<std::string>()));
  metadata.revision = json.at("revision").get<std::string>();
  metadata.partial = json.at("partial").get<bool>();
  metadata.downloaded_at = "2999-01-01T00:00:00Z";
  for (const Json& file : json.at("files"))
    metadata.files.push_back({file.at("name").get<std::string>(), file.at("size").get<uint64_t>(),
                              hash::parse_digest(file.at("digest").get<std::string>()).value(),
                              ""});
  return metadata;
}

Json run(const std::vector<std::string>& words) {
  const std::string verb = words.empty() ? "" : words[0];
  if (verb == "read" && words.size() == 2) return read(words[1]);
  if (verb == "offer" && words.size() >= 3)
    return offer(words[1], words[2], {words.begin() + 3, words.end()});
  if (verb == "publish" && words.size() == 4) {
    const hub::Published published = hub::publish(words[1], metadata_of(words[2]), words[3]);
    return {{"snapshot", published.snapshot.string()}, {"links", published.links}};
  }
  if (verb == "withdraw" && words.size() == 4) {
    hub::withdraw(words[1], metadata_of(words[2]), words[3]);
    return Json::object();
  }
  fail(ErrorKind::kUserInput, "expected read, offer, publish or withdraw");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    fmt::print("{}\n", run({argv + 1, argv + argc}).dump());
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
