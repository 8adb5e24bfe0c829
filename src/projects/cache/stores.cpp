#include "projects/cache/stores.h"

#include "core/base/error.h"

namespace toolkit::cache {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

std::vector<model_store::Inventory> read_stores(Session&) {
  not_there_yet("read_stores");
}

model_store::Inventory read_own_store(Session&) {
  not_there_yet("read_own_store");
}

}  // namespace toolkit::cache
