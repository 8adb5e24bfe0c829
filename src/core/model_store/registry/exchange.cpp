#include "core/model_store/registry/exchange.h"

#include <nlohmann/json.hpp>

#include "core/base/error.h"

namespace toolkit::model_store {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

nlohmann::json export_registry(Registry&) {
  not_there_yet("export_registry");
}

ImportReport import_registry(Registry&, const std::string&, const std::string&) {
  not_there_yet("import_registry");
}

}  // namespace toolkit::model_store
