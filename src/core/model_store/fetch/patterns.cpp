#include "core/model_store/fetch/patterns.h"

#include "core/base/error.h"

namespace toolkit::model_store {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

bool matches_pattern(std::string_view, std::string_view) {
  not_there_yet("matches_pattern");
}

bool is_wanted(std::string_view, const std::vector<std::string>&, const std::vector<std::string>&) {
  not_there_yet("is_wanted");
}

}  // namespace toolkit::model_store
