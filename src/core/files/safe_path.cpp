#include "core/files/safe_path.h"

#include "core/base/error.h"

namespace toolkit::files {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

std::string why_unsafe_path(std::string_view) {
  not_there_yet("why_unsafe_path");
}

void check_relative_path(std::string_view, const std::string&) {
  not_there_yet("check_relative_path");
}

std::string folded_path(std::string_view) {
  not_there_yet("folded_path");
}

std::string escaped(std::string_view) {
  not_there_yet("escaped");
}

}  // namespace toolkit::files
