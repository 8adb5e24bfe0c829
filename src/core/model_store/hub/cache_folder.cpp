#include "core/model_store/hub/cache_folder.h"

#include "core/base/error.h"

namespace toolkit::model_store::hub {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

Inventory read_cache(const std::filesystem::path&) {
  not_there_yet("read_cache");
}

Published publish(const std::filesystem::path&, const Metadata&, const std::filesystem::path&) {
  not_there_yet("publish");
}

void withdraw(const std::filesystem::path&, const Metadata&, const std::filesystem::path&) {
  not_there_yet("withdraw");
}

}  // namespace toolkit::model_store::hub
