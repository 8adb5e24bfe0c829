#include "projects/cache/session.h"

#include <unistd.h>

#include <cstdio>
#include <optional>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/paths.h"
#include "core/model_store/registry/rebuild.h"

namespace toolkit::cache {

namespace {

using model_store::Registry;
using store::OpenMode;

/// registry.db was deleted, the models are there: made again without a question.
Registry open_or_rebuild(const model_store::Layout& layout) {
  std::error_code error;
  const bool known = std::filesystem::exists(layout.registry(), error);
  Registry registry = Registry::open(layout, OpenMode::kReadWrite);
  if (!known) {
    const auto report = model_store::rebuild(registry, layout);
    log_info("registry.db was missing: rebuilt, {} models", report.added);
  }
  return registry;
}

Registry open_for_reading(const model_store::Layout& layout) {
  if (!model_store::store_is_there(layout)) return Registry::in_memory();
  std::error_code error;
  if (!std::filesystem::exists(layout.registry(), error)) return open_or_rebuild(layout);
  return Registry::open(layout, OpenMode::kReadOnly);
}

}  // namespace

struct Session::State {
  Use use;
  model_store::Settings settings = model_store::load_settings();
  model_store::Environment environment = model_store::read_environment();
  model_store::Layout layout = model_store::default_layout();
  std::optional<files::FileLock> lock;
  std::optional<Registry> registry;
  std::optional<model_store::HashMemory> hashes;
};

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

Session::Session(Use use, const std::string& purpose, const cli::Context& context)
    : state_(std::make_unique<State>(State{.use = use})) {
  const bool quiet = context.quiet;
  model_store::when_waiting([quiet](const std::string& holder) {
    if (!quiet) fmt::print(stderr, "waiting for {}\n", holder);
  });
  if (use == Use::kAdd || use == Use::kDecide) {
    model_store::create_store(state_->layout);
    state_->lock = model_store::lock_store(
        state_->layout, use == Use::kAdd ? files::LockMode::kShared : files::LockMode::kExclusive,
        purpose);
  } else if (use == Use::kNote && !model_store::store_is_there(state_->layout)) {
    fail(ErrorKind::kNotFound,
         "{}: there is no model cache yet; `mlx-cache add hf://org/model` "
         "makes it (if it was there before: is its volume mounted?)",
         shown_path(state_->layout.root));
  }
}

Session::~Session() = default;

const model_store::Settings& Session::settings() const {
  return state_->settings;
}

const model_store::Environment& Session::environment() const {
  return state_->environment;
}

const model_store::Layout& Session::layout() const {
  return state_->layout;
}

model_store::Registry& Session::registry() {
  if (!state_->registry)
    state_->registry = state_->use == Use::kRead ? open_for_reading(state_->layout)
                                                 : open_or_rebuild(state_->layout);
  return *state_->registry;
}

model_store::HashMemory& Session::hashes() {
  if (!state_->hashes) state_->hashes.emplace(registry().database());
  return *state_->hashes;
}

void confirm(const std::string& question, const Options& options, const cli::Context& context) {
  if (options.yes) return;
  if (context.json || !::isatty(STDIN_FILENO) || !::isatty(STDERR_FILENO))
    fail(ErrorKind::kUserInput,
         "{} There is no terminal to answer at: --yes agrees, --dry-run only shows what would "
         "happen",
         question);
  fmt::print(stderr, "{} [y/N] ", question);
  std::fflush(stderr);
  std::string answer;
  for (int letter = std::fgetc(stdin); letter != EOF && letter != '\n'; letter = std::fgetc(stdin))
    answer += static_cast<char>(letter);
  if (answer != "y" && answer != "Y" && answer != "yes")
    fail(ErrorKind::kUserInput, "not confirmed: nothing was changed");
}

}  // namespace toolkit::cache
