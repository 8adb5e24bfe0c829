#include "projects/track/config.h"

#include <fmt/chrono.h>

#include <charconv>
#include <ctime>
#include <map>

#include "core/base/error.h"

namespace toolkit::track {

namespace {

Field ids_field(std::vector<std::string>& ids, const char* help, bool required) {
  return {.name = "id", .target = &ids, .help = help, .required = required, .positional = true};
}

}  // namespace

Fields describe(ListConfig& config) {
  const std::string filter = "Which runs", order = "Order and form";
  return {
      {.name = "kind",
       .target = &config.kind,
       .help = "only of one command: finetune, tune, compare, evaluate, bench",
       .group = filter},
      {.name = "status",
       .target = &config.status,
       .help = "only with this end",
       .group = filter,
       .choices = {"running", "succeeded", "failed", "interrupted", "killed"}},
      {.name = "model",
       .target = &config.model,
       .help = "only of models with this in their name",
       .group = filter},
      {.name = "parent",
       .target = &config.parent,
       .help = "only the trials of this run",
       .group = filter},
      {.name = "since",
       .target = &config.since,
       .help = "only started since: a day (2026-11-20) or an age (45min, 12h, 7d)",
       .group = filter},
      {.name = "sort",
       .target = &config.sort,
       .help = "started, seconds, or any number of the result or the settings: "
               "validation_loss_after, peak_rss_bytes, rank, ...",
       .group = order},
      {.name = "ascending", .target = &config.ascending, .help = "lowest first", .group = order},
      {.name = "limit",
       .target = &config.limit,
       .help = "at most this many; 0: all",
       .group = order,
       .minimum = 0},
      {.name = "csv", .target = &config.csv, .help = "as CSV", .group = order}};
}

Fields describe(PickConfig& config) {
  return {ids_field(config.ids, "ids, or how they begin", true)};
}

Fields describe(CompareConfig& config) {
  return {ids_field(config.ids, "two or more ids, or how they begin", true),
          {.name = "plot", .target = &config.plot, .help = "file for the loss curves (SVG)"},
          {.name = "csv", .target = &config.csv, .help = "as CSV"}};
}

Fields describe(ExportConfig& config) {
  return {ids_field(config.ids, "ids, or how they begin; none: every run", false),
          {.name = "format",
           .target = &config.format,
           .help = "json holds everything, csv one line a run without the metrics' course",
           .choices = {"json", "csv"}},
          {.name = "output",
           .target = &config.output,
           .help = "file to write; without: standard output",
           .short_name = "o"}};
}

Fields describe(TagConfig& config) {
  return {
      {.name = "id", .target = &config.id, .help = "the run", .required = true, .positional = true},
      {.name = "tag",
       .target = &config.tags,
       .help = "name=value, or a name alone",
       .required = true,
       .positional = true}};
}

Fields describe(RebuildConfig& config) {
  return {{.name = "folder",
           .target = &config.folders,
           .help = "folders to search for runs, besides those that are known",
           .positional = true}};
}

std::string since_time(const std::string& text) {
  if (text.empty()) return "";
  int64_t count = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const std::map<std::string, int64_t> units = {
      {"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}, {"w", 604800}};
  const auto unit = units.find(std::string(rest, text.data() + text.size()));
  if (error == std::errc() && unit != units.end() && count >= 0 && count < 1'000'000'000) {
    const std::time_t then = std::time(nullptr) - static_cast<std::time_t>(count * unit->second);
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(then));
  }
  const bool day = text.size() >= 10 && text[4] == '-' && text[7] == '-' &&
                   text.find_first_not_of("0123456789-T:Z") == std::string::npos;
  if (!day)
    fail(ErrorKind::kUserInput,
         "--since: expected a day like 2026-11-20 or an age like 12h, 7d, "
         "found '{}'",
         text);
  return text;
}

}  // namespace toolkit::track
