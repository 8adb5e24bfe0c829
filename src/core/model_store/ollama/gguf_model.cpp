#include "core/model_store/ollama/gguf_model.h"

#include "core/base/error.h"

namespace toolkit::model_store::ollama {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

std::string config_of_gguf(const std::filesystem::path&) {
  not_there_yet("config_of_gguf");
}

std::string template_of_gguf(const std::filesystem::path&) {
  not_there_yet("template_of_gguf");
}

}  // namespace toolkit::model_store::ollama
