#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "core/base/error.h"
#include "core/files/disk_space.h"
#include "core/model_store/upkeep/removal.h"
#include "projects/cache/command.h"
#include "projects/cache/publish.h"
#include "projects/cache/session.h"

namespace toolkit::cache {

namespace {

struct Settings {
  std::string model;
  bool force = false;
  Options options;
};

nlohmann::json run(const Settings& settings, const cli::Context& context) {
  const auto name = model_store::model_name_from_identifier(settings.model);
  const bool dry_run = settings.options.dry_run;
  Session session(dry_run ? Session::Use::kRead : Session::Use::kDecide, "remove " + name.uri(),
                  context);
  const auto model = session.registry().find(name);
  // Refused before anything is asked or withdrawn.
  if (model && !settings.force) model_store::refuse_linked(*model);
  model_store::FreedSpace space;
  space.add(session.layout().model_folder(model ? model->name : name));
  if (model && !dry_run)
    confirm(fmt::format("Remove {} ({}, frees at least {})?", name.uri(),
                        files::shown_bytes(model->size_bytes), files::shown_bytes(space.bytes())),
            settings.options, context);
  uint64_t freed = space.bytes();
  if (!model && dry_run) fail(ErrorKind::kNotFound, "{} is not in the cache", name.uri());
  if (!dry_run) {
    if (model) withdraw_everywhere(session, *model);
    freed = model_store::remove_model(session.registry(), session.layout(), name, settings.force);
  }
  // Names that programs were shown go too, if nobody else uses them: known once they are gone.
  if (!context.quiet && dry_run)
    fmt::print("Would remove {}: at least {} would be freed\n", name.uri(),
               files::shown_bytes(freed));
  else if (!context.quiet)
    fmt::print("Removed {}: {} freed\n", name.uri(), files::shown_bytes(freed));
  if (!context.quiet && !dry_run && model && freed < model->size_bytes)
    fmt::print("The rest has other names (a program's store, another model) and stays.\n");
  return {{"model", name.uri()}, {"freed_bytes", freed}, {"dry_run", dry_run}};
}

}  // namespace

cli::Command remove_command() {
  const auto settings = std::make_shared<Settings>();
  return {
      .name = "remove",
      .summary = "remove a model that no app uses",
      .examples = {"mlx-cache remove hf://org/model", "mlx-cache remove org/model --dry-run"},
      .fields =
          {{.name = "model",
            .target = &settings->model,
            .help = "hf://org/model, ollama://name:tag, file:///path or a name that `status` shows",
            .required = true,
            .positional = true},
           {.name = "force", .target = &settings->force, .help = "also when apps are linked to it"},
           dry_run_field(settings->options),
           yes_field(settings->options)},
      .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::cache
