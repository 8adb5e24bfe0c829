#include "core/model_store/upkeep/clean.h"

#include "core/base/error.h"

namespace toolkit::model_store {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

CleanPlan plan_clean(Registry&, const Layout&, const Settings&, const std::vector<Inventory>&,
                     int64_t) {
  not_there_yet("plan_clean");
}

uint64_t apply_clean(Registry&, const Layout&, const CleanPlan&) {
  not_there_yet("apply_clean");
}

void remove_model(Registry&, const Layout&, const ModelName&, bool) {
  not_there_yet("remove_model");
}

}  // namespace toolkit::model_store
