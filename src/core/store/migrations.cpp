#include "core/store/migrations.h"

#include "core/base/error.h"

namespace toolkit::store {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

void migrate(Database&, std::span<const Migration>) {
  not_there_yet("migrate");
}

int schema_version(Database&) {
  not_there_yet("schema_version");
}

}  // namespace toolkit::store
