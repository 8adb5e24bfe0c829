#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/files/identity.h"
#include "core/files/link.h"

namespace toolkit::files {

/// One step of a journal as its lines tell it.
struct JournalStep {
  enum class State { kPending, kDone, kFailed, kUndoing, kUndone };

  int64_t number = 0;
  std::filesystem::path path, keep;
  std::string temporary;  // name beside `path`
  std::string sha256;
  Identity before;       // of path
  Identity keep_before;  // of keep; its mode comes back when nothing is shared any more
  State state = State::kPending;
  LinkKind link = LinkKind::kHardLink;  // of kDone
  uint64_t inode = 0;                   // that path has since
  std::string undo_temporary;           // of kUndoing
};

/// What a journal file holds.
struct JournalContent {
  std::string title, started;
  bool finished = false;
  std::vector<JournalStep> steps;
  uint64_t complete_bytes = 0;  // up to the last whole line; a kill -9 may leave half of one
};

Json identity_to_json(const Identity& identity);

/// Empty for a file without a whole first line (its writer just made it, or died then). Throws
/// Error(kUserInput) with the line for anything that this program did not write.
std::optional<JournalContent> parse_journal(const std::string& text, const std::string& source);

/// An open journal that this process alone writes to: flock on the file itself.
class JournalFile {
 public:
  /// A new one, locked.
  static JournalFile create(const std::filesystem::path& path);
  /// An existing one for further lines; empty if its writer lives or it is gone.
  static std::optional<JournalFile> try_open(const std::filesystem::path& path);
  ~JournalFile();
  JournalFile(JournalFile&&) noexcept;
  JournalFile& operator=(JournalFile&&) = delete;

  /// What is in it. Half a last line is cut off.
  std::optional<JournalContent> read();
  /// Adds one line and syncs it.
  void append(const Json& line);
  const std::filesystem::path& path() const { return path_; }

 private:
  JournalFile(int descriptor, std::filesystem::path path)
      : descriptor_(descriptor), path_(std::move(path)) {}
  int descriptor_ = -1;
  std::filesystem::path path_;
};

/// The journals of a folder, newest first.
std::vector<std::filesystem::path> journal_paths(const std::filesystem::path& folder);

/// Gives `keep` its mode back when a step's end left it with one name only.
void restore_mode_of_survivor(const JournalStep& step);

/// "2026-11-21T15:44:28Z", or with milliseconds and without punctuation for file names.
std::string utc_now(bool for_file_name);

}  // namespace toolkit::files
