#include "core/model_store/hub/endpoint.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/base/error.h"
#include "core/files/disk_space.h"
#include "core/files/safe_path.h"
#include "core/model_store/fetch/patterns.h"
#include "core/model_store/hub/hub_refusal.h"

namespace toolkit::model_store::hub {

namespace {

constexpr size_t kMostEmptyPages = 20, kMostFiles = 200'000;
// The hub's limit for a file over plain HTTP; larger ones come over its Xet protocol only.
constexpr uint64_t kLargestHttpFileBytes = 50'000'000'000;

std::string encoded_path(std::string_view path) {
  std::string encoded;
  for (size_t at = 0; at <= path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    if (at > 0) encoded += '/';
    encoded += http::encoded_part(path.substr(at, end - at));
    at = end + 1;
  }
  return encoded;
}

std::vector<HubFile> read_tree(http::Client& client, const Environment& environment,
                               const HubName& name, const std::string& token,
                               const std::string& commit) {
  http::Request request = hub_request(environment,
                                      "/api/models/" + encoded_path(name.repository) + "/tree/" +
                                          commit + "?recursive=true&expand=false",
                                      token);
  const http::Url first = request.url;
  std::vector<HubFile> files;
  std::set<std::string> seen;
  for (size_t empty_pages = 0;;) {
    if (empty_pages > kMostEmptyPages || files.size() > kMostFiles)
      fail(ErrorKind::kNetwork, "hf://{}: the hub's list of files does not end ({} so far)",
           name.repository, files.size());
    const http::Response response = client.send(request);
    if (response.status != 200) refuse(client, environment, name, token, response);
    auto page = parse_tree_page(response.body, http::shown_url(response.url));
    if (page.empty()) ++empty_pages;  // of folders only
    for (HubFile& file : page) {
      if (!seen.insert(file.path).second)
        fail(ErrorKind::kUserInput, "hf://{}: '{}' is listed twice", name.repository,
             files::escaped(file.path));
      files.push_back(std::move(file));
    }
    const auto next = next_page(response.header("Link").value_or(""));
    if (!next) return files;
    request.url = http::resolve_redirect(response.url, *next);
    // The token goes along, so a page elsewhere is never asked for.
    if (!http::same_origin(request.url, first))
      fail(ErrorKind::kNetwork, "hf://{}: the next page of the list is on another host, {}",
           name.repository, http::shown_url(request.url));
  }
}

bool lies_in(std::string_view path, std::string_view place) {
  while (place.ends_with('/')) place.remove_suffix(1);
  return place.empty() || path == place ||
         (path.starts_with(place) && path.substr(place.size()).starts_with('/'));
}

void check_names(const std::vector<HubFile>& files, const std::string& where) {
  std::map<std::string, const HubFile*> folded;
  for (const HubFile& file : files) {
    files::check_relative_path(file.path, where);
    const auto [twin, is_new] = folded.emplace(files::folded_path(file.path), &file);
    if (!is_new)
      fail(ErrorKind::kUserInput,
           "{}: '{}' and '{}' differ in upper and lower case only, so not every disk can hold "
           "both: leave one out with --ignore",
           where, files::escaped(twin->second->path), files::escaped(file.path));
  }
  for (const auto& [name, file] : folded)  // "a" beside "a/b": no folder can hold both
    for (size_t slash = name.find('/'); slash != std::string::npos;
         slash = name.find('/', slash + 1))
      if (folded.contains(name.substr(0, slash)))
        fail(ErrorKind::kUserInput, "{}: '{}' is a file and a folder: leave one out with --ignore",
             where, files::escaped(file->path.substr(0, slash)));
}

}  // namespace

HubRepository read_repository(http::Client& client, const Environment& environment,
                              const HubName& name) {
  if (environment.hub_offline)
    fail(ErrorKind::kNetwork,
         "HF_HUB_OFFLINE is set, so nothing is asked of {}: unset it, or use a model that "
         "`mlx-cache status` lists",
         environment.hub_endpoint);
  const std::string token = read_token(environment);
  const http::Response response =
      client.send(hub_request(environment,
                              "/api/models/" + encoded_path(name.repository) + "/revision/" +
                                  http::encoded_part(name.revision),
                              token));
  if (response.status != 200) refuse(client, environment, name, token, response);
  HubRepository repository = parse_revision(response.body, http::shown_url(response.url));
  HubName renamed = name;
  renamed.repository = repository.repository;
  to_model_name(renamed);  // what the hub says must be a name, too
  repository.files = read_tree(client, environment, renamed, token, repository.commit);
  return repository;
}

Offer make_offer(const Environment& environment, const HubName& name,
                 const HubRepository& repository, const std::vector<std::string>& allow,
                 const std::vector<std::string>& ignore) {
  HubName renamed = name;
  renamed.repository = repository.repository;
  renamed.path.clear();
  const std::string where = "hf://" + repository.repository;
  std::vector<HubFile> wanted;
  for (const HubFile& file : repository.files)
    if (lies_in(file.path, name.path) && is_wanted(file.path, allow, ignore) &&
        files::folded_path(file.path) != kMetadataFile)  // ours stands under that name
      wanted.push_back(file);
  if (wanted.empty())
    fail(ErrorKind::kNotFound, "{}: none of its {} files is wanted{}: see {}/{}/tree/{}", where,
         repository.files.size(),
         name.path.empty() ? " by these patterns"
                           : " (no '" + files::escaped(name.path) + "' there)",
         environment.hub_endpoint, repository.repository, repository.commit);
  check_names(wanted, where);

  Offer offer;
  offer.name = to_model_name(renamed);
  offer.revision = repository.commit;
  offer.endpoint = environment.hub_endpoint;
  offer.partial = wanted.size() != repository.files.size();
  const std::string token = read_token(environment);
  for (const HubFile& file : wanted) {
    if (file.size_bytes > kLargestHttpFileBytes)
      fail(ErrorKind::kUnsupported,
           "{}: '{}' has {}, and the hub hands files above {} out over its Xet protocol only: "
           "`hf download {}`, then `mlx-cache sync`, which takes it over without a copy",
           where, files::escaped(file.path), files::shown_bytes(file.size_bytes),
           files::shown_bytes(kLargestHttpFileBytes), repository.repository);
    OfferedFile offered;
    offered.name = file.path;
    offered.size_bytes = file.size_bytes;
    offered.digest = file.digest;
    // No etag: that of the second origin is another one, and the commit in the address already
    // says which content it is.
    offered.request = hub_request(environment,
                                  "/" + encoded_path(repository.repository) + "/resolve/" +
                                      repository.commit + "/" + encoded_path(file.path),
                                  token);
    offer.files.push_back(std::move(offered));
  }
  return offer;
}

}  // namespace toolkit::model_store::hub
