#include "core/model_store/registry/rebuild.h"

#include "core/base/error.h"

namespace toolkit::model_store {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

RebuildReport rebuild(Registry&, const Layout&) {
  not_there_yet("rebuild");
}

}  // namespace toolkit::model_store
