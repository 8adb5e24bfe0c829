#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/paths.h"
#include "core/base/progress.h"
#include "core/files/disk_space.h"
#include "core/files/safe_path.h"
#include "core/model_store/upkeep/verify.h"
#include "projects/cache/command.h"
#include "projects/cache/page.h"
#include "projects/cache/session.h"

namespace toolkit::cache {

namespace {

struct Settings {
  std::vector<std::string> models;
  Options options;
};

using model_store::Fault;
using model_store::VerifyReport;

void print_report(const VerifyReport& report, bool color) {
  Page page(color);
  for (const Fault& fault : report.faults) {
    page.line(fmt::format("{}: {}", fault.model.uri(), files::escaped(fault.file)), Tone::kFault);
    page.row("expected", fault.expected);
    page.row("found", files::escaped(fault.found));
    page.row("next", fault.next_step);
  }
  page.line(
      fmt::format("{}, {}, {} read: {}", counted(static_cast<uint64_t>(report.models), "model"),
                  counted(static_cast<uint64_t>(report.files), "file"),
                  files::shown_bytes(report.bytes),
                  report.faults.empty() ? "all as they were published"
                                        : counted(report.faults.size(), "fault")),
      report.faults.empty() ? Tone::kGood : Tone::kFault);
  fmt::print("{}", page.text());
}

nlohmann::json run(const Settings& settings, const cli::Context& context) {
  Session session(settings.options.dry_run ? Session::Use::kRead : Session::Use::kNote, "verify",
                  context);
  if (!model_store::store_is_there(session.layout()))
    fail(ErrorKind::kNotFound, "{}: there is no model cache (is its volume mounted?)",
         shown_path(session.layout().root));
  std::vector<model_store::ModelName> names;
  for (const std::string& text : settings.models)
    names.push_back(model_store::model_name_from_identifier(text));
  constexpr uint64_t kMegabyte = 1'000'000;
  std::optional<Progress> progress;  // when it is known how much there is to read
  const VerifyReport report = model_store::verify_models(
      session.registry(), session.layout(), names, model_store::VerifyDepth::kContents,
      [&](uint64_t done, uint64_t total) {
        if (!progress)
          progress.emplace("verifying, MB",
                           static_cast<int64_t>((total + kMegabyte - 1) / kMegabyte),
                           context.quiet);
        progress->update(static_cast<int64_t>((done + kMegabyte - 1) / kMegabyte));
      });
  if (progress) progress->finish("");
  if (!context.quiet) print_report(report, context.color);
  nlohmann::json faults = nlohmann::json::array();
  for (const Fault& fault : report.faults)
    faults.push_back({{"model", fault.model.uri()},
                      {"file", fault.file},
                      {"expected", fault.expected},
                      {"found", fault.found},
                      {"next_step", fault.next_step}});
  return {{"ok", report.faults.empty()},
          {"models", report.models},
          {"files", report.files},
          {"bytes", report.bytes},
          {"faults", faults}};
}

}  // namespace

cli::Command verify_command() {
  const auto settings = std::make_shared<Settings>();
  return {.name = "verify",
          .summary = "read every file again and compare it with its hash",
          .description =
              "Models with a fault are noted as damaged in the registry (not with "
              "--dry-run); no file is changed.",
          .examples = {"mlx-cache verify", "mlx-cache verify hf://org/model"},
          .fields = {{.name = "models",
                      .target = &settings->models,
                      .help = "only these; without: all",
                      .positional = true},
                     dry_run_field(settings->options),
                     verbose_field(settings->options)},
          .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::cache
