#include "core/model_store/registry/hash_memory.h"

#include "core/base/error.h"

namespace toolkit::model_store {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

std::optional<std::string> HashMemory::recall(const files::Identity&) {
  not_there_yet("recall");
}

void HashMemory::remember(const files::Identity&, const std::string&) {
  not_there_yet("remember");
}

std::string HashMemory::of(const std::filesystem::path&,
                           const std::function<void(uint64_t done)>&) {
  not_there_yet("of");
}

}  // namespace toolkit::model_store
