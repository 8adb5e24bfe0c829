#include "core/files/tree.h"

#include "core/base/error.h"

namespace toolkit::files {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

void walk_tree(const std::filesystem::path&, const std::function<void(const TreeEntry&)>&,
               const std::function<void(const std::filesystem::path&, const std::string&)>&,
               const TreeLimits&) {
  not_there_yet("walk_tree");
}

}  // namespace toolkit::files
