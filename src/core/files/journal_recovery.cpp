#include <unistd.h>

#include <algorithm>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/files/folder.h"
#include "core/files/journal_records.h"
#include "core/files/replace_journal.h"

namespace toolkit::files {

namespace fs = std::filesystem;

namespace {

using State = JournalStep::State;

/// Removes a temporary name of ours beside `path`. False if there was none.
bool remove_temporary(const fs::path& path, const std::string& name) {
  std::error_code error;
  if (!fs::is_directory(path.parent_path(), error)) return false;
  const Folder folder = Folder::open(path.parent_path());
  const bool removed = folder.remove_file(name);
  if (removed) folder.sync();
  return removed;
}

/// The link that a step made if its rename happened, read from the disk.
std::optional<LinkKind> link_that_stands(const JournalStep& step, const Identity& now) {
  if (now.kind == FileKind::kSymlink) {
    const auto leads_to = resolved_identity(step.path);
    if (leads_to && same_file(*leads_to, step.keep_before)) return LinkKind::kSymlink;
    return std::nullopt;
  }
  if (now.kind != FileKind::kFile || now.size_bytes != step.before.size_bytes) return std::nullopt;
  if (same_file(now, step.keep_before)) return LinkKind::kHardLink;
  // A clone has an inode of its own, and by its making mode and time of what it replaced.
  const bool ours = !same_file(now, step.before) && now.mtime_ns == step.before.mtime_ns;
  return ours ? std::optional(LinkKind::kClone) : std::nullopt;
}

void finish_step(JournalFile& file, const JournalStep& step) {
  const bool left_over = remove_temporary(step.path, step.temporary);
  const auto now = identity_of(step.path);
  const auto link = now && !left_over ? link_that_stands(step, *now) : std::nullopt;
  if (link) {
    file.append({{"done", step.number}, {"link", link_kind_name(*link)}, {"inode", now->inode}});
    return;
  }
  restore_mode_of_survivor(step);
  file.append({{"failed", step.number}, {"reason", "interrupted"}});
}

void finish_undo(JournalFile& file, const JournalStep& step) {
  const bool left_over = remove_temporary(step.path, step.undo_temporary);
  const auto now = identity_of(step.path);
  const bool own = now && now->kind == FileKind::kFile && now->inode != step.inode;
  if (own && !left_over) {
    restore_mode_of_survivor(step);
    file.append({{"undone", step.number}});
  } else {
    file.append({{"kept", step.number}, {"reason", "interrupted"}});
  }
}

bool recover(const fs::path& path) {
  auto file = JournalFile::try_open(path);
  if (!file) return false;
  const auto content = file->read();
  if (!content) return false;
  const auto unsettled = [](const JournalStep& step) {
    return step.state == State::kPending || step.state == State::kUndoing;
  };
  if (content->finished && std::none_of(content->steps.begin(), content->steps.end(), unsettled))
    return false;
  for (const JournalStep& step : content->steps) {
    if (step.state == State::kPending) finish_step(*file, step);
    if (step.state == State::kUndoing) finish_undo(*file, step);
  }
  if (!content->finished) file->append({{"finished", utc_now(false)}, {"recovered", true}});
  return true;
}

}  // namespace

int recover_journals(const fs::path& folder) {
  int recovered = 0;
  for (const fs::path& path : journal_paths(folder)) {
    try {
      if (recover(path)) ++recovered;
    } catch (const Error& error) {
      // One damaged journal must not keep the others from their end.
      log_warning("{}", error.what());
    }
  }
  return recovered;
}

std::vector<JournalSummary> list_journals(const fs::path& folder) {
  std::vector<JournalSummary> summaries;
  for (const fs::path& path : journal_paths(folder)) {
    const auto content = parse_journal(read_file(path), path.string());
    if (!content) continue;
    const auto count = [&](auto... states) {
      return std::count_if(
          content->steps.begin(), content->steps.end(),
          [&](const JournalStep& step) { return ((step.state == states) || ...); });
    };
    summaries.push_back({.id = path.stem().string(),
                         .title = content->title,
                         .started = content->started,
                         .steps = count(State::kDone, State::kUndoing, State::kUndone),
                         .undone = count(State::kUndone),
                         .finished = content->finished});
  }
  return summaries;
}

}  // namespace toolkit::files
