#include "core/model_store/ollama/manifest.h"

#include "core/base/error.h"

namespace toolkit::model_store::ollama {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

const Layer* Manifest::model() const {
  not_there_yet("model");
}

bool Manifest::one_blob_per_tensor() const {
  not_there_yet("one_blob_per_tensor");
}

Manifest parse_manifest(const std::string&, const std::string&) {
  not_there_yet("parse_manifest");
}

std::string to_json_text(const Manifest&) {
  not_there_yet("to_json_text");
}

}  // namespace toolkit::model_store::ollama
