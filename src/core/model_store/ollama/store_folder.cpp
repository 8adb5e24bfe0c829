#include "core/model_store/ollama/store_folder.h"

#include "core/base/error.h"

namespace toolkit::model_store::ollama {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

Inventory read_store(const std::filesystem::path&) {
  not_there_yet("read_store");
}

std::string publish(const std::filesystem::path&, const OllamaName&, const Metadata&,
                    const std::filesystem::path&) {
  not_there_yet("publish");
}

void withdraw(const std::filesystem::path&, const OllamaName&, const std::filesystem::path&) {
  not_there_yet("withdraw");
}

}  // namespace toolkit::model_store::ollama
