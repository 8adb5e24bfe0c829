#include "core/model_store/hub/hub_refusal.h"

#include <algorithm>
#include <vector>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/nearest.h"
#include "core/files/safe_path.h"

namespace toolkit::model_store::hub {

namespace {

constexpr size_t kNamesShown = 8;
constexpr size_t kLongestWord = 200;  // of a message that the hub gave

// Names the hub lists under `key`, as a hint: an answer of any other kind gives none.
std::vector<std::string> names_in(const Json& list, const char* key) {
  std::vector<std::string> names;
  if (!list.is_array()) return names;
  for (const Json& entry : list)
    if (entry.is_object() && entry.contains(key) && entry[key].is_string())
      names.push_back(files::escaped(entry[key].get<std::string>()));
  return names;
}

Json ask(http::Client& client, const Environment& environment, const std::string& target,
         const std::string& token) {
  try {
    http::Request request = hub_request(environment, target, token);
    request.body_limit_bytes = 4 << 20;
    const http::Response response = client.send(request);
    if (response.status == 200) return parse_json(response.body, http::shown_url(response.url));
  } catch (const Error&) {  // the first refusal is what the user must hear of
  }
  return nullptr;
}

std::vector<std::string> revisions_of(http::Client& client, const Environment& environment,
                                      const HubName& name, const std::string& token) {
  const Json refs = ask(client, environment, "/api/models/" + name.repository + "/refs", token);
  std::vector<std::string> names;
  for (const char* kind : {"branches", "tags"})
    if (refs.is_object() && refs.contains(kind))
      for (std::string& found : names_in(refs[kind], "name")) names.push_back(std::move(found));
  return names;
}

std::string nearest_repository(http::Client& client, const Environment& environment,
                               const HubName& name, const std::string& token) {
  const size_t slash = name.repository.find('/');
  const std::string model =
      slash == std::string::npos ? name.repository : name.repository.substr(slash + 1);
  for (const std::string& word : {model, name.repository.substr(0, slash)}) {
    const Json list = ask(client, environment,
                          "/api/models?search=" + http::encoded_part(word) + "&limit=50", token);
    const auto names = names_in(list, "id");
    if (const std::string near = nearest(name.repository, names); !near.empty()) return near;
    const auto same_model = std::find_if(names.begin(), names.end(), [&](const std::string& found) {
      return found.ends_with("/" + model);
    });
    if (same_model != names.end()) return *same_model;
  }
  return "";
}

std::string shown_names(std::vector<std::string> names) {
  std::string text;
  for (size_t i = 0; i < names.size() && i < kNamesShown; ++i) text += (i ? ", " : "") + names[i];
  return names.size() > kNamesShown ? text + ", ..." : text;
}

std::string shown_host(const Environment& environment) {
  return http::parse_url(environment.hub_endpoint).host;
}

[[noreturn]] void refuse_gated(const Environment& environment, const HubName& name, bool token) {
  const std::string page = environment.hub_endpoint + "/" + name.repository;
  if (token)
    fail(ErrorKind::kUserInput,
         "hf://{}: gated, and your token's account has no access yet: accept the terms on {} (the "
         "owner may have to approve it), then run this command again",
         name.repository, page);
  fail(ErrorKind::kUserInput,
       "hf://{}: gated: accept the terms on {}, make a token on {}/settings/tokens, and run this "
       "command again with HF_TOKEN set or after `hf auth login`",
       name.repository, page, environment.hub_endpoint);
}

}  // namespace

http::Request hub_request(const Environment& environment, const std::string& target,
                          const std::string& token) {
  http::Request request;
  std::string endpoint = environment.hub_endpoint;
  while (!endpoint.empty() && endpoint.back() == '/') endpoint.pop_back();
  request.url = http::parse_url(endpoint + target);
  request.bearer_token = token;
  return request;
}

void refuse(http::Client& client, const Environment& environment, const HubName& name,
            const std::string& token, const http::Response& response) {
  const std::string code = response.header("X-Error-Code").value_or("");
  std::string said = files::escaped(response.header("X-Error-Message").value_or(""));
  if (said.size() > kLongestWord) said = said.substr(0, kLongestWord) + "...";
  const std::string host = shown_host(environment);
  const int status = response.status;
  if (code == "GatedRepo") refuse_gated(environment, name, !token.empty());
  if (code == "RevisionNotFound") {
    const auto names = revisions_of(client, environment, name, token);
    fail(ErrorKind::kNotFound, "hf://{}: no revision '{}'.{}{}", name.repository, name.revision,
         did_you_mean(name.revision, names),
         names.empty() ? "" : " There are: " + shown_names(names));
  }
  if (code == "RepoNotFound" || status == 404 || (status == 401 && token.empty())) {
    const std::string near = nearest_repository(client, environment, name, token);
    fail(ErrorKind::kNotFound, "hf://{}: {} has no such model{}.{} {}", name.repository, host,
         token.empty() ? ", or it is private" : " that your token may see",
         near.empty() ? "" : " Did you mean 'hf://" + near + "'?",
         token.empty() ? "For a private one set HF_TOKEN or run `hf auth login`."
                       : "Check the spelling, or the token's rights on " +
                             environment.hub_endpoint + "/settings/tokens.");
  }
  if (status == 401)
    fail(ErrorKind::kUserInput,
         "{} does not accept your token (expired or deleted?): make a new one on "
         "{}/settings/tokens and set HF_TOKEN or run `hf auth login`",
         host, environment.hub_endpoint);
  if (status == 403)
    fail(ErrorKind::kUserInput,
         "hf://{}: {} refuses access{}: check the token's rights on "
         "{}/settings/tokens",
         name.repository, host, said.empty() ? "" : " (" + said + ")", environment.hub_endpoint);
  if (status == 429)
    fail(ErrorKind::kNetwork, "{} got too many requests from here: try again in {}{}", host,
         response.header("Retry-After") ? files::escaped(*response.header("Retry-After")) + " s"
                                        : "some minutes",
         token.empty() ? "; with HF_TOKEN set the limit is higher" : "");
  if (status >= 500)
    fail(ErrorKind::kNetwork, "{} has trouble of its own (status {}{}): try again later", host,
         status, said.empty() ? "" : ": " + said);
  fail(ErrorKind::kNetwork, "hf://{}: expected status 200 of {}, found {}{}", name.repository,
       http::shown_url(response.url), status, said.empty() ? "" : ": " + said);
}

}  // namespace toolkit::model_store::hub
