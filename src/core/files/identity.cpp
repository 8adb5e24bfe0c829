#include "core/files/identity.h"

#include "core/base/error.h"

namespace toolkit::files {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

std::optional<Identity> identity_of(const std::filesystem::path&) {
  not_there_yet("identity_of");
}

std::optional<Identity> resolved_identity(const std::filesystem::path&) {
  not_there_yet("resolved_identity");
}

}  // namespace toolkit::files
