#include "core/model_store/ollama/registry_client.h"

#include "core/base/error.h"

namespace toolkit::model_store::ollama {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

PulledManifest pull_manifest(http::Client&, const std::string&, const OllamaName&) {
  not_there_yet("pull_manifest");
}

Offer make_offer(const std::string&, const OllamaName&, const PulledManifest&) {
  not_there_yet("make_offer");
}

}  // namespace toolkit::model_store::ollama
