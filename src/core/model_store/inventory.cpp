#include "core/model_store/inventory.h"

#include "core/base/error.h"

namespace toolkit::model_store {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

const char* place_name(Place) {
  not_there_yet("place_name");
}

}  // namespace toolkit::model_store
