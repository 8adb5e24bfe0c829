#include "core/model_store/folders/jan.h"

#include "core/base/error.h"

namespace toolkit::model_store {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

Inventory read_jan(const std::filesystem::path&) {
  not_there_yet("read_jan");
}

}  // namespace toolkit::model_store
