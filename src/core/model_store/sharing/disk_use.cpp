#include "core/model_store/sharing/disk_use.h"

#include "core/base/error.h"

namespace toolkit::model_store {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

double DiskUse::saved_share() const {
  not_there_yet("saved_share");
}

DiskUse measure_disk_use(const std::vector<Inventory>&, uint64_t) {
  not_there_yet("measure_disk_use");
}

}  // namespace toolkit::model_store
