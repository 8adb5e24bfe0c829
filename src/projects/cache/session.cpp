#include "projects/cache/session.h"

#include "core/base/error.h"

namespace toolkit::cache {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

struct Session::State {};

Field dry_run_field(Options& options) {
  return {.name = "dry-run",
          .target = &options.dry_run,
          .help = "say what would happen, change nothing",
          .short_name = "n"};
}

Field yes_field(Options& options) {
  return {.name = "yes", .target = &options.yes, .help = "do not ask", .short_name = "y"};
}

Field verbose_field(Options& options) {
  return {.name = "verbose",
          .target = &options.verbose,
          .help = "name every file, with the reason for its link",
          .short_name = "v"};
}

Session::Session(Use, const std::string&, const cli::Context&) {
  not_there_yet("Session");
}

Session::~Session() = default;

const model_store::Settings& Session::settings() const {
  not_there_yet("settings");
}

const model_store::Environment& Session::environment() const {
  not_there_yet("environment");
}

const model_store::Layout& Session::layout() const {
  not_there_yet("layout");
}

model_store::Registry& Session::registry() {
  not_there_yet("registry");
}

model_store::HashMemory& Session::hashes() {
  not_there_yet("hashes");
}

void confirm(const std::string&, const Options&, const cli::Context&) {
  not_there_yet("confirm");
}

}  // namespace toolkit::cache
