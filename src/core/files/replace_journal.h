#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
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
struct ReplaceOutcome {
  ReplaceResult result = ReplaceResult::kDone;
  LinkOutcome link;
  uint64_t freed_bytes = 0;  // blocks that the file system gave back
  std::string reason;        // of kChanged and kRefused
};

/// Replaces files so that a kill -9 at any moment leaves the old or the new, and every step can be
/// undone. One JSON line per step in `<folder>/<id>.jsonl`, synced before the step:
///   {"journal":1,"title":..,"started":..}
///   {"step":n,"path":..,"keep":..,"temporary":..,"sha256":..,"before":{..},"mode":..}
///   {"done":n,"link":"hard link","inode":..}    or  {"failed":n,"reason":..}
///   {"finished":..}
/// A step: link `keep` under the temporary name beside `path`; compare inode and size; look once
/// more that `path` and `keep` are unchanged; rename over `path`; sync the folder; write "done".
class ReplaceJournal {
 public:
  ReplaceJournal(const std::filesystem::path& folder, const std::string& title);
  ~ReplaceJournal();
  ReplaceJournal(const ReplaceJournal&) = delete;
  ReplaceJournal& operator=(const ReplaceJournal&) = delete;

  ReplaceOutcome replace(const Replacement& replacement);
  void finish();
  const std::string& id() const { return id_; }

 private:
  std::string id_;
  std::filesystem::path path_;
  int descriptor_ = -1;
  int64_t steps_ = 0;
};

struct JournalSummary {
  std::string id, title, started;
  int64_t steps = 0, undone = 0;
  bool finished = false;
};

/// The journals of a folder, newest first; a torn last line is normal, other damage is an Error.
std::vector<JournalSummary> list_journals(const std::filesystem::path& folder);

/// Brings journals of processes that died to an end: temporary names they left are removed, whether
/// the last rename happened is read from the disk. Returns how many. A journal whose writer lives
/// (it holds its lock) is left alone.
int recover_journals(const std::filesystem::path& folder);

struct UndoReport {
  int64_t restored = 0, already_own = 0;
  std::vector<std::string> skipped;  // path and reason: changed since, survivor gone, disk full
};

/// Gives every replaced path an own copy again with its old mode and time: the space needed is
/// checked first (Error(kIo) with the figure), each copy's sha256 before the rename. Paths that
/// changed since are left as they are.
UndoReport undo_journal(const std::filesystem::path& folder, const std::string& id,
                        const std::function<void(uint64_t done, uint64_t total)>& progress = {});

}  // namespace toolkit::files
