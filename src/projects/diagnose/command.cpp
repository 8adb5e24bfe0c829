#include "projects/diagnose/command.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "core/base/paths.h"
#include "core/files/disk_space.h"
#include "projects/diagnose/bundle.h"
#include "projects/diagnose/check.h"

namespace toolkit::diagnose {

namespace {

struct Settings {
  std::string output = "mlx-diag.zip";
};

nlohmann::json run_export(const Settings& settings, const std::string& version,
                          const cli::Context& context) {
  const Redactor redactor = Redactor::for_this_user();
  const std::vector<Entry> entries = collect(redactor, version);
  const std::filesystem::path file = expanded_path(settings.output);
  write_zip(file, entries);
  nlohmann::json files = nlohmann::json::array();
  for (const Entry& entry : entries)
    files.push_back({{"name", entry.name}, {"bytes", entry.text.size()}});
  if (!context.quiet) {
    for (const Entry& entry : entries)
      fmt::print("  {:<34}{}\n", entry.name, files::shown_bytes(entry.text.size()));
    fmt::print(
        "{} written; {} places with secrets, names or texts were taken out.\n"
        "Look into it before you send it: everything in it is plain text.\n",
        shown_path(file), redactor.count());
  }
  return {{"output", file.string()}, {"redacted", redactor.count()}, {"files", files}};
}

nlohmann::json run_check(const cli::Context& context) {
  const std::vector<Finding> findings = check_all();
  bool good = true;
  for (const Finding& finding : findings) {
    good = good && finding.is_good;
    if (context.quiet) continue;
    const char* mark = finding.is_good ? "ok   " : "fault";
    const bool painted = context.color && !finding.is_good;
    fmt::print("{}{}{}  {:<36}{}\n", painted ? "\x1b[31m" : "", mark, painted ? "\x1b[0m" : "",
               finding.what, finding.found);
    if (!finding.is_good) fmt::print("       {:<36}{}\n", "", finding.action);
  }
  return {{"ok", good}, {"findings", to_json(findings)}};
}

}  // namespace

cli::Command export_command(const std::string& version) {
  const auto settings = std::make_shared<Settings>();
  return {.name = "export",
          .summary = "write a zip for a bug report, without secrets and texts",
          .examples = {"mlx-diag export", "mlx-diag export --output ~/report.zip"},
          .fields = {{.name = "output",
                      .target = &settings->output,
                      .help = "the file",
                      .short_name = "o",
                      .required = true}},
          .run = [settings, version](const cli::Context& context) {
            return run_export(*settings, version, context);
          }};
}

cli::Command check_command() {
  return {.name = "check",
          .summary = "say what is wrong on this machine and how to mend it",
          .examples = {"mlx-diag check", "mlx-diag check --json"},
          .run = run_check};
}

}  // namespace toolkit::diagnose
