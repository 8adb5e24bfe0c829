#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/files/identity.h"
#include "core/files/link.h"

namespace toolkit::files {

/// One file that becomes a link to another with the same content.
struct Replacement {
  std::filesystem::path path, keep;   // `path` is replaced, `keep` survives
  Identity path_before, keep_before;  // as they were when their content was compared
  std::string sha256;                 // of both, 64 hexadecimal digits
  LinkPolicy policy;                  // kinds that `path` may become; never kCopy
};

enum class ReplaceResult { kDone, kAlreadyShared, kChanged, kRefused };
class JournalFile;  // journal_records.h

struct ReplaceOutcome {
  ReplaceResult result = ReplaceResult::kDone;
  LinkOutcome link;
  uint64_t freed_bytes = 0;  // blocks that the file system gave back
  std::string reason;        // of kChanged and kRefused
};

/// Replaces files so that a kill -9 at any moment leaves the old or the new, and every step can be
/// undone. One JSON line per step in `<folder>/<id>.jsonl`, synced before the step:
///   {"journal":1,"title":..,"started":..}
///   {"step":n,"path":..,"keep":..,"temporary":..,"sha256":..,"before":{..},"keep_before":{..}}
///   {"done":n,"link":"hard link","inode":..}    or  {"failed":n,"reason":..}
///   {"finished":..}
///   {"undoing":n,"temporary":..}, then {"undone":n} or {"kept":n,"reason":..};
///   {"left":n,"reason":..}
/// A step: link `keep` under the temporary name beside `path`; compare inode and size; look once
/// more that `path` and `keep` are unchanged; rename over `path`; sync the folder; write "done".
/// A file with two names becomes read-only for all who could read either: no program may edit both
/// by one. A clone keeps mode and time of what it replaces.
class ReplaceJournal {
 public:
  ReplaceJournal(const std::filesystem::path& folder, const std::string& title);
  ~ReplaceJournal();
  ReplaceJournal(const ReplaceJournal&) = delete;
  ReplaceJournal& operator=(const ReplaceJournal&) = delete;

  /// Throws Error(kIo) only when the journal cannot be written; whatever the file system refuses
  /// is an outcome with its reason.
  ReplaceOutcome replace(const Replacement& replacement);
  void finish();
  const std::string& id() const { return id_; }

 private:
  std::string id_;
  std::unique_ptr<JournalFile> file_;
  int64_t steps_ = 0;
};

struct JournalSummary {
  std::string id, title, started;  // started: UTC, "2026-11-21T15:44:28Z"
  int64_t steps = 0;               // files replaced
  int64_t undone = 0;              // of these, given their own copy again
  bool finished = false;
};

/// The journals of a folder, newest first; a torn last line is normal, other damage is an Error.
std::vector<JournalSummary> list_journals(const std::filesystem::path& folder);

/// Brings journals of processes that died to an end: temporary names they left are removed, whether
/// the last rename happened is read from the disk. Returns how many. A journal whose writer lives
/// (it holds its lock) is left alone, a file that is no journal as well.
int recover_journals(const std::filesystem::path& folder);

struct UndoReport {
  int64_t restored = 0, already_own = 0;
  std::vector<std::string> skipped;           // path and reason: changed since, gone, disk full
  std::vector<std::filesystem::path> clones;  // of already_own: clones of ours, now on their own
};

/// Gives every replaced path an own copy again with its old mode and time: the space needed is
/// checked first (Error(kIo) with the figure), each copy's sha256 before the rename. Paths that
/// changed since are left as they are. Throws Error(kNotFound) for an id that is none, Error(kIo)
/// while its writer lives.
UndoReport undo_journal(const std::filesystem::path& folder, const std::string& id,
                        const std::function<void(uint64_t done, uint64_t total)>& progress = {});

}  // namespace toolkit::files
