#include "core/files/disk_space.h"

#include "core/base/error.h"

namespace toolkit::files {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

DiskSpace disk_space(const std::filesystem::path&) {
  not_there_yet("disk_space");
}

void require_disk_space(const std::filesystem::path&, uint64_t) {
  not_there_yet("require_disk_space");
}

std::string shown_bytes(uint64_t) {
  not_there_yet("shown_bytes");
}

}  // namespace toolkit::files
