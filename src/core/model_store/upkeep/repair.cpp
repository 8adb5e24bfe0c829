#include "core/model_store/upkeep/repair.h"

#include "core/base/error.h"

namespace toolkit::model_store {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

RepairReport repair_store(const Layout&, bool) {
  not_there_yet("repair_store");
}

}  // namespace toolkit::model_store
