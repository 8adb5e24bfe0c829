#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/http/client.h"
#include "core/model_store/fetch/fetch.h"
#include "core/model_store/name.h"
#include "core/model_store/ollama/manifest.h"

namespace toolkit::model_store::ollama {

/// "https://registry.ollama.ai"; http for a host on this machine, as registries for tests have it.
std::string registry_base(const OllamaName& name);

struct PulledManifest {
  std::string bytes;  // verbatim: its sha256 is the model's id
  Manifest manifest;
  std::string token;  // for the blobs of this registry; never stored
};

/// What a registry asks for in `WWW-Authenticate: Bearer realm="..",service="..",scope=".."`.
struct BearerChallenge {
  std::string realm, service, scope;
};
/// Empty if the header is no bearer challenge with a realm.
std::optional<BearerChallenge> parse_challenge(std::string_view header);

/// GET /v2/<namespace>/<model>/manifests/<tag>, with the bearer handshake (realm must be of the
/// registry's host). `base` is registry_base(name) unless a test says otherwise. Error(kNotFound)
/// names near tags where the registry lists them; a model that only a signed-in Ollama may have is
/// an Error(kUserInput) with the way through `ollama pull`.
PulledManifest pull_manifest(http::Client& client, const std::string& base, const OllamaName& name);

/// Files of the model's folder: model.gguf, projector.gguf, adapter.gguf, template, params.json,
/// ..., manifest.json, config.json. Error(kUnsupported) for models of one blob per tensor.
Offer make_offer(const std::string& base, const OllamaName& name, const PulledManifest& pulled);

}  // namespace toolkit::model_store::ollama
