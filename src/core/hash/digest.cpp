#include "core/hash/digest.h"

#include "core/base/error.h"

namespace toolkit::hash {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

std::optional<Digest> parse_digest(std::string_view) {
  not_there_yet("parse_digest");
}

}  // namespace toolkit::hash
