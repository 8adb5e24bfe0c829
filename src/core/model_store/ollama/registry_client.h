#pragma once

#include <filesystem>
#include <string>

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

/// GET /v2/<namespace>/<model>/manifests/<tag>, with the bearer handshake (realm must be of the
/// registry's host), signed with the user's key where `key_file` has one (sign_in.h), else
/// anonymous. `base` is registry_base(name) unless a test says otherwise. Error(kNotFound) names
/// near tags where the registry lists them; a refused sign-in is an Error(kUserInput) with what to
/// do.
PulledManifest pull_manifest(http::Client& client, const std::string& base, const OllamaName& name,
                             const std::filesystem::path& key_file = {});

/// Files of the model's folder: model.gguf, projector.gguf, adapter.gguf, template, params.json,
/// ..., manifest.json, config.json. Error(kUnsupported) for models of one blob per tensor.
Offer make_offer(const std::string& base, const OllamaName& name, const PulledManifest& pulled);

}  // namespace toolkit::model_store::ollama
