#include "core/model_store/ollama/registry_client.h"

#include <algorithm>
#include <span>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/nearest.h"
#include "core/base/paths.h"
#include "core/files/safe_path.h"
#include "core/hash/hasher.h"
#include "core/model_store/ollama/sign_in.h"
#include "core/model_store/utc_time.h"

namespace toolkit::model_store::ollama {

namespace fs = std::filesystem;

namespace {

constexpr uint64_t kLongestManifest = uint64_t{64} << 20;
constexpr uint64_t kLongestAnswer = uint64_t{1} << 20;

std::string model_url(const std::string& base, const OllamaName& name) {
  return fmt::format("{}/v2/{}/{}", base, http::encoded_part(name.name_space),
                     http::encoded_part(name.model));
}

std::string identifier(const OllamaName& name) {
  return to_model_name(name).identifier;
}

/// A model that this person may not have, as far as the registry knows who it is.
[[noreturn]] void fail_locked(const OllamaName& name, const std::string& host,
                              const std::string& why) {
  fail(ErrorKind::kUserInput, "ollama://{}: {} does not give it out: {}", identifier(name), host,
       why);
}

std::string no_way_in(const OllamaName& name) {
  return fmt::format(
      "it names no way to sign in; if your Ollama gets it, `ollama pull {}`, then `mlx-cache sync`",
      identifier(name));
}

std::string not_known(const fs::path& key_file, bool signed_in) {
  const std::string key = shown_path(key_file);
  const std::string next =
      fmt::format("add the line of {}.pub to the keys of your account there", key);
  return signed_in ? fmt::format("not to the owner of the key {}; {}, or ask for access", key, next)
                   : fmt::format(
                         "it asks for a sign-in, and there is no key {}; `ollama serve` "
                         "makes one, then {}",
                         key, next);
}

struct Token {
  std::string text;
  bool signed_in = false;
};

/// A token for what the challenge names, signed where there is a key. It is asked for at the
/// registry's own host only: another one could be given what a registry trusts.
Token fetch_token(http::Client& client, const http::Url& registry, const BearerChallenge& challenge,
                  const OllamaName& name, const fs::path& key_file) {
  const http::Url realm = http::parse_url(challenge.realm);
  if (realm.host != registry.host || realm.port != registry.port ||
      (registry.scheme == "https" && realm.scheme != "https"))
    fail(ErrorKind::kNetwork,
         "ollama://{}: {} sends the sign-in to another host, {}; refused. Is OLLAMA's registry "
         "behind a proxy that rewrites answers?",
         identifier(name), http::shown_url(registry), http::shown_url(realm));
  const auto key = read_signing_key(key_file);
  http::Request request{.url = http::parse_url(token_url(challenge, now_s(), new_nonce())),
                        .body_limit_bytes = kLongestAnswer};
  request.follow_redirects = false;
  if (key) request.headers.push_back({"Authorization", sign_in_header(*key, request.url.text())});
  const http::Response response = client.send(request);
  if (response.status != 200)
    fail_locked(name, registry.host, not_known(key_file, key.has_value()));
  const Json root = parse_json(response.body, http::shown_url(request.url));
  for (const char* member : {"token", "access_token"})
    if (root.is_object() && root.contains(member) && root[member].is_string())
      return {root[member].get<std::string>(), key.has_value()};
  fail(ErrorKind::kNetwork, "{}: expected a token in the answer, found none",
       http::shown_url(request.url));
}

/// Tags of the model as the registry lists them; empty if it does not.
std::vector<std::string> tags_of(http::Client& client, const std::string& base,
                                 const OllamaName& name, const std::string& token) {
  try {
    const http::Response response =
        client.send({.url = http::parse_url(model_url(base, name) + "/tags/list"),
                     .bearer_token = token,
                     .body_limit_bytes = kLongestAnswer});
    std::vector<std::string> tags;
    if (response.status != 200) return tags;
    const Json root = parse_json(response.body, "tags");
    if (root.is_object() && root.contains("tags") && root["tags"].is_array())
      for (const Json& tag : root["tags"])
        if (tag.is_string() && tags.size() < 1000)
          tags.push_back(files::escaped(tag.get<std::string>().substr(0, 80)));
    return tags;
  } catch (const Error&) {
    return {};  // only for the hint
  }
}

[[noreturn]] void fail_not_found(http::Client& client, const std::string& base,
                                 const OllamaName& name, const std::string& token) {
  const auto tags = tags_of(client, base, name, token);
  std::string hint = "look for it at https://ollama.com/library";
  if (!tags.empty()) {
    const std::string near = nearest(name.tag, tags);
    std::string list;
    for (size_t i = 0; i < std::min<size_t>(tags.size(), 8); ++i) list += (i ? ", " : "") + tags[i];
    hint = fmt::format("its tags are {}{}{}", list, tags.size() > 8 ? ", ..." : "",
                       near.empty() ? "" : fmt::format("; did you mean :{}?", near));
  }
  fail(ErrorKind::kNotFound, "ollama://{}: {} has no such model; {}", identifier(name),
       http::parse_url(base).host, hint);
}

OfferedFile offered(const std::string& name, const hash::Digest& digest, uint64_t size_bytes,
                    http::Request request) {
  return {.name = name, .size_bytes = size_bytes, .digest = digest, .request = std::move(request)};
}

http::Request manifest_request(const std::string& base, const OllamaName& name,
                               const std::string& token) {
  return {
      .url = http::parse_url(model_url(base, name) + "/manifests/" + http::encoded_part(name.tag)),
      .headers = {{"Accept", kManifestType}},
      .bearer_token = token,
      .body_limit_bytes = kLongestManifest};
}

}  // namespace

std::string registry_base(const OllamaName& name) {
  const std::string plain = "http://" + name.host;
  return http::is_loopback(http::parse_url(plain)) ? plain : "https://" + name.host;
}

PulledManifest pull_manifest(http::Client& client, const std::string& base, const OllamaName& name,
                             const fs::path& key_file) {
  const http::Url registry = http::parse_url(base);
  PulledManifest pulled;
  bool signed_in = false;
  http::Response response = client.send(manifest_request(base, name, ""));
  if (response.status == 401) {
    const auto challenge = parse_challenge(response.header("WWW-Authenticate").value_or(""));
    if (!challenge) fail_locked(name, registry.host, no_way_in(name));
    Token token = fetch_token(client, registry, *challenge, name, key_file);
    pulled.token = std::move(token.text);
    signed_in = token.signed_in;
    response = client.send(manifest_request(base, name, pulled.token));
  }
  if (response.status == 401 || response.status == 403)
    fail_locked(name, registry.host,
                pulled.token.empty() ? no_way_in(name) : not_known(key_file, signed_in));
  if (response.status == 404) fail_not_found(client, base, name, pulled.token);
  if (response.status != 200)
    fail(ErrorKind::kNetwork, "ollama://{}: {} answered {} for the manifest; try again later",
         identifier(name), registry.host, response.status);
  pulled.manifest = parse_manifest(response.body, http::shown_url(response.url));
  pulled.bytes = std::move(response.body);
  return pulled;
}

Offer make_offer(const std::string& base, const OllamaName& name, const PulledManifest& pulled) {
  if (pulled.manifest.one_blob_per_tensor())
    fail(ErrorKind::kUnsupported,
         "ollama://{}: it is published as one blob per tensor, which only Ollama reads: `ollama "
         "pull {}`. The same model as GGUF, or as an hf:// repository, can be shared",
         identifier(name), identifier(name));
  if (!pulled.manifest.model())
    fail(ErrorKind::kUnsupported, "ollama://{}: expected a manifest with a model, found none",
         identifier(name));
  Offer offer;
  offer.name = to_model_name(name);
  offer.endpoint = base;
  const hash::Digest id = hash::hash_bytes(
      hash::Algorithm::kSha256,
      std::span(reinterpret_cast<const uint8_t*>(pulled.bytes.data()), pulled.bytes.size()));
  offer.revision = id.hex;
  for (const NamedLayer& named : named_layers(pulled.manifest))
    offer.files.push_back(offered(
        named.name, named.layer->digest, named.layer->size_bytes,
        {.url = http::parse_url(model_url(base, name) + "/blobs/sha256:" + named.layer->digest.hex),
         .bearer_token = pulled.token}));
  offer.files.push_back(
      offered(kManifestFile, id, pulled.bytes.size(), manifest_request(base, name, pulled.token)));
  return offer;
}

}  // namespace toolkit::model_store::ollama
