#include "projects/cache/sharing_command_text.h"

#include <map>
#include <nlohmann/json.hpp>

#include "core/base/paths.h"
#include "core/files/disk_space.h"
#include "core/files/safe_path.h"

namespace toolkit::cache {

using files::escaped;
using files::shown_bytes;
using model_store::LeftAlone;

namespace {

std::string shown(const std::filesystem::path& path) {
  return escaped(shown_path(path));
}

nlohmann::json left_to_json(const std::vector<LeftAlone>& left, const char* what) {
  nlohmann::json list = nlohmann::json::array();
  for (const LeftAlone& file : left)
    list.push_back({{"path", escaped(file.path.string())},
                    {"size_bytes", file.size_bytes},
                    {"what", what},
                    {"reason", escaped(file.reason)}});
  return list;
}

void print_left(const std::vector<LeftAlone>& left, bool verbose) {
  std::map<std::string, std::vector<const LeftAlone*>> by_reason;
  for (const LeftAlone& file : left) by_reason[file.reason].push_back(&file);
  for (const auto& [reason, files] : by_reason) {
    fmt::print("{} {} as {}: {}\n", files.size(), files.size() == 1 ? "file stays" : "files stay",
               files.size() == 1 ? "it is" : "they are", escaped(reason));
    if (verbose)
      for (const LeftAlone* file : files)
        fmt::print("    {}  {}\n", shown(file->path), shown_bytes(file->size_bytes));
  }
}

void print_planned(const model_store::SharingPlan& plan, bool verbose) {
  size_t names = 0;
  for (const auto& duplicate : plan.duplicates) names += duplicate.replace.size();
  fmt::print("{} {} would become links, {} would be free\n", names, names == 1 ? "file" : "files",
             shown_bytes(plan.freed_bytes));
  if (!verbose) return;
  for (const auto& duplicate : plan.duplicates) {
    fmt::print("  {}  {}  is kept ({})\n", shown_bytes(duplicate.size_bytes),
               shown(duplicate.keep.path), place_name(duplicate.keep_place));
    for (size_t i = 0; i < duplicate.replace.size(); ++i)
      fmt::print("      {}  ({}): {}\n", shown(duplicate.replace[i].path),
                 place_name(duplicate.replace_places[i]),
                 duplicate.replace[i].policy.empty()
                     ? "stays"
                     : files::link_kind_name(duplicate.replace[i].policy.front()));
  }
}

void print_done(const model_store::SharingReport& report, bool verbose, const std::string& undo) {
  std::map<std::string, int> kinds;
  for (const auto& file : report.replaced) ++kinds[files::link_kind_name(file.link)];
  std::string by_kind;
  for (const auto& [kind, count] : kinds)
    by_kind += fmt::format("{}{} by {}", by_kind.empty() ? "" : ", ", count, kind);
  fmt::print("{} {} now shared ({}), {} freed\n", report.replaced.size(),
             report.replaced.size() == 1 ? "file is" : "files are", by_kind,
             shown_bytes(report.freed_bytes));
  if (verbose)
    for (const auto& file : report.replaced)
      fmt::print("    {}  {}{}\n", shown(file.path), files::link_kind_name(file.link),
                 file.reason.empty() ? "" : " (" + escaped(file.reason) + ")");
  fmt::print("`{}` takes it back.\n", undo);
}

}  // namespace

Field link_field(std::string& link) {
  return {.name = "link",
          .target = &link,
          .help = "how duplicates are shared",
          .choices = {"auto", "hard_link", "clone"}};
}

nlohmann::json sharing_to_json(const SharingResult& result) {
  nlohmann::json duplicates = nlohmann::json::array(), replaced = nlohmann::json::array();
  for (const auto& duplicate : result.plan.duplicates) {
    nlohmann::json names = nlohmann::json::array();
    for (const auto& file : duplicate.replace) names.push_back(escaped(file.path.string()));
    duplicates.push_back({{"sha256", duplicate.sha256},
                          {"size_bytes", duplicate.size_bytes},
                          {"keep", escaped(duplicate.keep.path.string())},
                          {"keep_place", place_name(duplicate.keep_place)},
                          {"replace", std::move(names)}});
  }
  for (const auto& file : result.report.replaced)
    replaced.push_back({{"path", escaped(file.path.string())},
                        {"place", place_name(file.place)},
                        {"link", files::link_kind_name(file.link)},
                        {"reason", escaped(file.reason)},
                        {"freed_bytes", file.freed_bytes}});
  nlohmann::json left = left_to_json(result.plan.left_alone, "left alone");
  for (auto& file : left_to_json(result.report.skipped, "skipped")) left.push_back(file);
  return {{"duplicates", std::move(duplicates)},
          {"replaced", std::move(replaced)},
          {"left_alone", std::move(left)},
          {"planned_freed_bytes", result.plan.freed_bytes},
          {"freed_bytes", result.report.freed_bytes},
          {"read_bytes", result.read_bytes},
          {"journal", result.report.journal},
          {"interrupted", result.interrupted},
          {"stopped", escaped(result.report.stopped)},
          {"ok", result.report.stopped.empty()}};
}

void print_sharing(const SharingResult& result, const Options& options, const std::string& undo) {
  if (result.plan.duplicates.empty()) {
    fmt::print("No duplicate weights that could be shared.\n");
  } else if (options.dry_run) {
    print_planned(result.plan, options.verbose);
  } else {
    print_done(result.report, options.verbose, undo);
  }
  print_left(result.plan.left_alone, options.verbose);
  print_left(result.report.skipped, true);
  if (!result.report.stopped.empty())
    fmt::print("error: stopped early, the rest is as it was: {}\n", escaped(result.report.stopped));
  if (result.interrupted) fmt::print("Interrupted: the rest is as it was.\n");
}

nlohmann::json undo_to_json(const files::UndoReport& report) {
  nlohmann::json skipped = nlohmann::json::array();
  for (const std::string& line : report.skipped) skipped.push_back(line);
  return {{"restored", report.restored},
          {"already_own", report.already_own},
          {"skipped", std::move(skipped)}};
}

void print_undo(const files::UndoReport& report) {
  fmt::print("{} {} again, {} had {} already\n", report.restored,
             report.restored == 1 ? "file has its own copy" : "files have their own copies",
             report.already_own, report.already_own == 1 ? "one" : "them");
  for (const std::string& line : report.skipped) fmt::print("  left as it is: {}\n", line);
}

}  // namespace toolkit::cache
