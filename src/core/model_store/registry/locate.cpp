#include "core/model_store/registry/locate.h"

#include "core/base/error.h"

namespace toolkit::model_store {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

std::filesystem::path locate_model(const ModelName&, const std::filesystem::path&) {
  not_there_yet("locate_model");
}

}  // namespace toolkit::model_store
