#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>

#include "core/base/error.h"
#include "core/files/disk_space.h"
#include "core/files/folder.h"
#include "core/files/journal_records.h"
#include "core/files/replace_journal.h"
#include "core/files/safe_path.h"
#include "core/hash/hasher.h"

namespace toolkit::files {

namespace fs = std::filesystem;

namespace {

using State = JournalStep::State;

enum class Standing { kShared, kOwn, kClone, kOther };

/// How a replaced path stands today; `why` of kOther.
Standing standing_of(const JournalStep& step, std::string& why) {
  const auto now = identity_of(step.path);
  if (!now) {
    why = "it is gone";
    return Standing::kOther;
  }
  if (step.link == LinkKind::kSymlink) {
    const auto leads_to = resolved_identity(step.path);
    if (now->kind == FileKind::kSymlink && leads_to && same_file(*leads_to, step.keep_before))
      return Standing::kShared;
  } else if (now->kind == FileKind::kFile && now->inode == step.inode &&
             now->device == step.keep_before.device && now->size_bytes == step.before.size_bytes) {
    if (step.link == LinkKind::kClone) return Standing::kClone;
    return now->links > 1 ? Standing::kShared : Standing::kOwn;
  }
  why = "it changed since it was replaced";
  return Standing::kOther;
}

void set_mode_time_owner(const fs::path& path, const Identity& before) {
  constexpr int64_t kNanoseconds = 1'000'000'000;
  const timespec time = {.tv_sec = static_cast<time_t>(before.mtime_ns / kNanoseconds),
                         .tv_nsec = static_cast<long>(before.mtime_ns % kNanoseconds)};
  const timespec times[2] = {time, time};
  const auto now = identity_of(path);
  // Only root can give files away; without it the copy is ours, as a copy is.
  if (now && (now->user != before.user || now->group != before.group))
    (void)!::lchown(path.c_str(), before.user, before.group);
  if (::chmod(path.c_str(), before.mode) != 0 ||
      ::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
    fail(ErrorKind::kIo, "cannot set mode and time: {}", std::strerror(errno));
}

/// A checked copy takes the place of the link. Throws Error with the reason; nothing is left then.
void give_own_copy(const JournalStep& step, const std::string& temporary) {
  const Folder folder = Folder::open(step.path.parent_path());
  const fs::path copy = step.path.parent_path() / temporary;
  const auto before = identity_of(step.path);
  try {
    make_link(step.path, copy, {LinkKind::kCopy});
    if (hash::hash_file(copy, hash::Algorithm::kSha256).hex != step.sha256)
      fail(ErrorKind::kIo, "its content is no longer what was replaced");
    set_mode_time_owner(copy, step.before);
    const auto now = identity_of(step.path);
    if (!before || !now || !unchanged(*before, *now)) fail(ErrorKind::kIo, "it just changed");
    folder.rename(temporary, step.path.filename().string());
  } catch (const Error&) {
    folder.remove_file(temporary);
    throw;
  }
}

/// Throws Error(kIo) unless all copies fit, on each file system.
void require_space(const std::vector<const JournalStep*>& shared) {
  std::map<uint64_t, std::pair<fs::path, uint64_t>> needed;  // by device
  for (const JournalStep* step : shared) {
    auto& [folder, bytes] = needed[step->before.device];
    folder = step->path.parent_path();
    bytes += step->before.size_bytes;
  }
  for (const auto& [device, need] : needed) require_disk_space(need.first, need.second);
}

}  // namespace

UndoReport undo_journal(const fs::path& folder, const std::string& id,
                        const std::function<void(uint64_t done, uint64_t total)>& progress) {
  check_relative_path(id, "journal");
  const fs::path path = folder / (id + ".jsonl");
  if (!identity_of(path))
    fail(ErrorKind::kNotFound, "{}: there is no such journal of replaced files", path.string());
  auto file = JournalFile::try_open(path);
  const auto content = file ? file->read() : std::nullopt;
  if (!content)
    fail(ErrorKind::kIo, "{}: another process is at work on it; try again when it has ended",
         path.string());
  UndoReport report;
  std::vector<const JournalStep*> shared;
  uint64_t total = 0, done = 0;
  // Newest first: a name that was replaced twice goes back the way it came.
  for (auto step = content->steps.rbegin(); step != content->steps.rend(); ++step) {
    if (step->state != State::kDone) continue;
    std::string why;
    const Standing standing = standing_of(*step, why);
    if (standing == Standing::kShared) {
      shared.push_back(&*step);
      total += step->before.size_bytes;
    } else if (standing == Standing::kOther) {
      report.skipped.push_back(escaped(step->path.string()) + ": " + why);
      // For good, unless its whole folder is missing: a volume that may come back.
      if (identity_of(step->path.parent_path()))
        file->append({{"left", step->number}, {"reason", why}});
    } else {
      if (standing == Standing::kOwn) set_mode_time_owner(step->path, step->before);
      if (standing == Standing::kClone) report.clones.push_back(step->path);
      file->append({{"undone", step->number}});
      ++report.already_own;
    }
  }
  require_space(shared);
  for (const JournalStep* step : shared) {
    const std::string temporary = temporary_name();
    file->append({{"undoing", step->number}, {"temporary", temporary}});
    try {
      give_own_copy(*step, temporary);
      restore_mode_of_survivor(*step);
      file->append({{"undone", step->number}});
      ++report.restored;
    } catch (const Error& error) {
      file->append({{"kept", step->number}, {"reason", escaped(error.what())}});
      report.skipped.push_back(escaped(step->path.string()) + ": " + error.what());
    }
    done += step->before.size_bytes;
    if (progress) progress(done, total);
  }
  return report;
}

}  // namespace toolkit::files
