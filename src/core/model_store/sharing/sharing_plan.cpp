#include "core/model_store/sharing/sharing_plan.h"

#include "core/base/error.h"

namespace toolkit::model_store {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

SharingPlan plan_sharing(const std::vector<Inventory>&, const HashOfFile&, const SharingOptions&) {
  not_there_yet("plan_sharing");
}

SharingReport apply_sharing(const SharingPlan&, const std::filesystem::path&,
                            const std::function<void(uint64_t done, uint64_t total)>&) {
  not_there_yet("apply_sharing");
}

}  // namespace toolkit::model_store
