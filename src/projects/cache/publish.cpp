#include "projects/cache/publish.h"

#include "core/base/error.h"

namespace toolkit::cache {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

std::vector<PublishedTo> publish_everywhere(Session&, const model_store::ModelRecord&) {
  not_there_yet("publish_everywhere");
}

void withdraw_everywhere(Session&, const model_store::ModelRecord&) {
  not_there_yet("withdraw_everywhere");
}

}  // namespace toolkit::cache
