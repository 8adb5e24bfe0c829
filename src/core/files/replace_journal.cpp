#include "core/files/replace_journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/base/error.h"
#include "core/files/folder.h"
#include "core/files/journal_records.h"
#include "core/files/safe_path.h"

namespace toolkit::files {

namespace fs = std::filesystem;

namespace {

/// Removes the temporary name unless it became the file.
struct Temporary {
  fs::path path;
  ~Temporary() {
    if (!path.empty()) ::unlink(path.c_str());
  }
};

ReplaceOutcome refused(std::string reason, ReplaceResult result = ReplaceResult::kRefused) {
  ReplaceOutcome outcome;
  outcome.result = result;
  outcome.reason = std::move(reason);
  return outcome;
}

/// Why a name is not what it was when contents were compared; "" if it is.
std::string why_changed(const fs::path& path, const Identity& before) {
  const auto now = identity_of(path);
  if (!now) return "is gone";
  if (now->kind != FileKind::kFile) return "is no regular file any more";
  return unchanged(*now, before) ? "" : "changed since its content was compared";
}

bool is_utf8(const fs::path& path) {
  // The journal is JSON; only such names can be written down and found again.
  try {
    (void)Json(path.string()).dump();
    return true;
  } catch (const Json::exception&) {
    return false;
  }
}

void take_mode_and_time(const fs::path& path, const Identity& of) {
  constexpr int64_t kNanoseconds = 1'000'000'000;
  const timespec time = {.tv_sec = static_cast<time_t>(of.mtime_ns / kNanoseconds),
                         .tv_nsec = static_cast<long>(of.mtime_ns % kNanoseconds)};
  const timespec times[2] = {time, time};
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0)
    fail(ErrorKind::kIo, "{}: cannot open the clone: {}", path.string(), std::strerror(errno));
  const bool set = ::fchmod(file, of.mode) == 0 && ::futimens(file, times) == 0;
  const int error = errno;
  if (set) sync_file(file, path);
  ::close(file);
  if (!set)
    fail(ErrorKind::kIo, "{}: cannot set mode and time: {}", path.string(), std::strerror(error));
}

/// What stands under the temporary name must be the survivor, whole.
void check_link(const fs::path& temporary, LinkKind kind, const Identity& keep) {
  const auto made =
      kind == LinkKind::kSymlink ? resolved_identity(temporary) : identity_of(temporary);
  const bool right = made && made->kind == FileKind::kFile && made->size_bytes == keep.size_bytes &&
                     (kind == LinkKind::kClone) != same_file(*made, keep);
  if (!right)
    fail(ErrorKind::kIo, "{}: the new link is not what was asked for", temporary.string());
}

/// Steps 1 to 4 of a replacement; throws Error(kIo) with the reason.
ReplaceOutcome swap_in(const Replacement& replacement, const fs::path& temporary_path) {
  const fs::path& path = replacement.path;
  Temporary temporary;
  ReplaceOutcome outcome;
  outcome.link = make_link(replacement.keep, temporary_path, replacement.policy);
  temporary.path = temporary_path;
  check_link(temporary_path, outcome.link.kind, replacement.keep_before);
  if (outcome.link.kind == LinkKind::kHardLink) {
    // Who could read either name can read both, nobody writes. Another user's file stays as it is:
    // sharing goes on, only less protected.
    const uint32_t readers = (replacement.keep_before.mode | replacement.path_before.mode) & 0444;
    (void)!::chmod(replacement.keep.c_str(), readers | 0400);
  } else if (outcome.link.kind == LinkKind::kClone) {
    take_mode_and_time(temporary_path, replacement.path_before);
  }
  std::string why = why_changed(path, replacement.path_before);
  if (!why.empty()) return refused(path.string() + " " + why, ReplaceResult::kChanged);
  why = why_changed(replacement.keep, replacement.keep_before);
  if (!why.empty()) return refused(replacement.keep.string() + " " + why, ReplaceResult::kChanged);
  const auto old = identity_of(path);
  if (::rename(temporary_path.c_str(), path.c_str()) != 0)
    return refused(
        fmt::format("{}: cannot rename over it: {}", path.string(), std::strerror(errno)));
  temporary.path.clear();
  Folder::open(path.parent_path()).sync();
  // Blocks come back only with the last name of the old file.
  if (old && old->links == 1) outcome.freed_bytes = old->allocated_bytes;
  return outcome;
}

/// Looks that need no journal: nothing has been touched yet.
ReplaceOutcome first_look(const Replacement& replacement) {
  const auto& [path, keep, path_before, keep_before, sha256, policy] = replacement;
  if (std::find(policy.begin(), policy.end(), LinkKind::kCopy) != policy.end())
    fail(ErrorKind::kInternal, "ReplaceJournal: a copy shares nothing");
  if (!path.is_absolute() || !keep.is_absolute())
    fail(ErrorKind::kInternal, "ReplaceJournal: paths must be absolute");
  if (!is_utf8(path) || !is_utf8(keep)) return refused("its name is not UTF-8");
  for (const auto& [name, before] : {std::pair(path, path_before), std::pair(keep, keep_before)})
    if (const std::string why = why_changed(name, before); !why.empty())
      return refused(escaped(name.string()) + " " + why, ReplaceResult::kChanged);
  if (same_file(path_before, keep_before))
    return refused("is the same file already", ReplaceResult::kAlreadyShared);
  if (path_before.size_bytes != keep_before.size_bytes)
    return refused("sizes differ", ReplaceResult::kChanged);
  return {};
}

}  // namespace

ReplaceJournal::ReplaceJournal(const fs::path& folder, const std::string& title) {
  const Folder made = Folder::open_or_create(folder);
  const std::string random = temporary_name().substr(kTemporaryPrefix.size(), 8);
  id_ = fmt::format("{}-{}-{}", utc_now(true), ::getpid(), random);
  file_ = std::make_unique<JournalFile>(JournalFile::create(folder / (id_ + ".jsonl")));
  file_->append({{"journal", 1}, {"title", title}, {"started", utc_now(false)}});
  made.sync();
}

ReplaceJournal::~ReplaceJournal() = default;

ReplaceOutcome ReplaceJournal::replace(const Replacement& replacement) {
  if (!file_) fail(ErrorKind::kInternal, "ReplaceJournal: used after finish()");
  ReplaceOutcome outcome = first_look(replacement);
  if (outcome.result != ReplaceResult::kDone) return outcome;
  const std::string temporary = temporary_name();
  const int64_t step = ++steps_;
  file_->append({{"step", step},
                 {"path", replacement.path.string()},
                 {"keep", replacement.keep.string()},
                 {"temporary", temporary},
                 {"sha256", replacement.sha256},
                 {"before", identity_to_json(replacement.path_before)},
                 {"keep_before", identity_to_json(replacement.keep_before)}});
  try {
    outcome = swap_in(replacement, replacement.path.parent_path() / temporary);
  } catch (const Error& error) {
    outcome = refused(error.what());
  }
  if (outcome.result != ReplaceResult::kDone) {
    JournalStep failed;
    failed.keep = replacement.keep;
    failed.keep_before = replacement.keep_before;
    restore_mode_of_survivor(failed);
    file_->append({{"failed", step}, {"reason", escaped(outcome.reason)}});
    return outcome;
  }
  const auto now = identity_of(replacement.path);
  file_->append({{"done", step},
                 {"link", link_kind_name(outcome.link.kind)},
                 {"inode", now ? now->inode : 0}});
  return outcome;
}

void ReplaceJournal::finish() {
  if (!file_) return;
  file_->append({{"finished", utc_now(false)}});
  file_.reset();
}

}  // namespace toolkit::files
