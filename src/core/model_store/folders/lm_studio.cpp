#include "core/model_store/folders/lm_studio.h"

#include "core/base/error.h"

namespace toolkit::model_store {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

Inventory read_lm_studio(const std::filesystem::path&) {
  not_there_yet("read_lm_studio");
}

std::filesystem::path publish_to_lm_studio(const std::filesystem::path&, const Metadata&,
                                           const std::filesystem::path&) {
  not_there_yet("publish_to_lm_studio");
}

}  // namespace toolkit::model_store
