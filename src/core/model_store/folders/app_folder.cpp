#include "core/model_store/folders/app_folder.h"

#include "core/base/error.h"

namespace toolkit::model_store {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

AppFolder describe_app(const std::filesystem::path&) {
  not_there_yet("describe_app");
}

}  // namespace toolkit::model_store
