#include "core/model_store/upkeep/verify.h"

#include "core/base/error.h"

namespace toolkit::model_store {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

VerifyReport verify_models(Registry&, const Layout&, const std::vector<ModelName>&,
                           const std::function<void(uint64_t done, uint64_t total)>&) {
  not_there_yet("verify_models");
}

}  // namespace toolkit::model_store
