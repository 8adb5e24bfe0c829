#include "core/files/link.h"

#include "core/base/error.h"

namespace toolkit::files {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

const char* link_kind_name(LinkKind) {
  not_there_yet("link_kind_name");
}

LinkOutcome make_link(const std::filesystem::path&, const std::filesystem::path&, const LinkPolicy&,
                      const std::filesystem::path&) {
  not_there_yet("make_link");
}

bool can_link(const std::filesystem::path&, const std::filesystem::path&, LinkKind) {
  not_there_yet("can_link");
}

bool clone_file(const std::filesystem::path&, const std::filesystem::path&) {
  not_there_yet("clone_file");
}

}  // namespace toolkit::files
