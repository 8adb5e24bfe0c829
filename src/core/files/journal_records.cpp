#include "core/files/journal_records.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <utility>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/files/folder.h"
#include "core/files/safe_path.h"
#include "core/hash/digest.h"

namespace toolkit::files {

namespace fs = std::filesystem;

namespace {

constexpr const char* kEnding = ".jsonl";

[[noreturn]] void refuse(const std::string& where, const std::string& why) {
  fail(ErrorKind::kUserInput, "{}: not a line of a journal of replaced files: {}", where, why);
}

template <class T>
T value_of(const Json& line, const char* key, const std::string& where) {
  try {
    return line.at(key).get<T>();
  } catch (const Json::exception&) {
    refuse(where, fmt::format("'{}' is missing or of another type", key));
  }
}

Identity identity_from_json(const Json& json, const std::string& where) {
  return {.kind = FileKind::kFile,
          .device = value_of<uint64_t>(json, "device", where),
          .inode = value_of<uint64_t>(json, "inode", where),
          .size_bytes = value_of<uint64_t>(json, "size", where),
          .allocated_bytes = value_of<uint64_t>(json, "allocated", where),
          .mtime_ns = value_of<int64_t>(json, "mtime_ns", where),
          .links = value_of<uint32_t>(json, "links", where),
          .mode = value_of<uint32_t>(json, "mode", where) & 07777,
          .user = value_of<uint32_t>(json, "user", where),
          .group = value_of<uint32_t>(json, "group", where)};
}

std::string temporary_from_json(const Json& line, const std::string& where) {
  std::string name = value_of<std::string>(line, "temporary", where);
  if (!name.starts_with(kTemporaryPrefix) || name.find('/') != std::string::npos)
    refuse(where, "'temporary' is no temporary name of ours");
  return name;
}

JournalStep step_from_json(const Json& line, const std::string& where) {
  JournalStep step;
  step.number = value_of<int64_t>(line, "step", where);
  step.path = value_of<std::string>(line, "path", where);
  step.keep = value_of<std::string>(line, "keep", where);
  if (!step.path.is_absolute() || !step.keep.is_absolute()) refuse(where, "a path is relative");
  step.temporary = temporary_from_json(line, where);
  const auto digest = hash::parse_digest(value_of<std::string>(line, "sha256", where));
  if (!digest || digest->algorithm != hash::Algorithm::kSha256) refuse(where, "'sha256' is none");
  step.sha256 = digest->hex;
  step.before = identity_from_json(value_of<Json>(line, "before", where), where);
  step.keep_before = identity_from_json(value_of<Json>(line, "keep_before", where), where);
  return step;
}

LinkKind link_from_name(const std::string& name, const std::string& where) {
  for (const LinkKind kind : {LinkKind::kHardLink, LinkKind::kClone, LinkKind::kSymlink})
    if (name == link_kind_name(kind)) return kind;
  refuse(where, "'link' is none");
}

/// The step that a line speaks of, which must be in one of `allowed`.
JournalStep& step_of(JournalContent& content, int64_t number, JournalStep::State allowed,
                     const std::string& where) {
  const auto size = static_cast<int64_t>(content.steps.size());
  if (number < 1 || number > size) refuse(where, "it names a step that is not there");
  JournalStep& step = content.steps[static_cast<size_t>(number - 1)];
  if (step.state != allowed) refuse(where, "it does not fit what was said of this step before");
  return step;
}

void take_line(JournalContent& content, const Json& line, const std::string& where) {
  using State = JournalStep::State;
  if (line.contains("step")) {
    JournalStep step = step_from_json(line, where);
    if (step.number != static_cast<int64_t>(content.steps.size()) + 1)
      refuse(where, "steps are not in order");
    content.steps.push_back(std::move(step));
  } else if (line.contains("done")) {
    JournalStep& step =
        step_of(content, value_of<int64_t>(line, "done", where), State::kPending, where);
    step.state = State::kDone;
    step.link = link_from_name(value_of<std::string>(line, "link", where), where);
    step.inode = value_of<uint64_t>(line, "inode", where);
  } else if (line.contains("failed")) {
    step_of(content, value_of<int64_t>(line, "failed", where), State::kPending, where).state =
        State::kFailed;
  } else if (line.contains("undoing")) {
    JournalStep& step =
        step_of(content, value_of<int64_t>(line, "undoing", where), State::kDone, where);
    step.state = State::kUndoing;
    step.undo_temporary = temporary_from_json(line, where);
  } else if (line.contains("undone") || line.contains("kept")) {
    const bool undone = line.contains("undone");
    const auto number = value_of<int64_t>(line, undone ? "undone" : "kept", where);
    // A path that was its own already is undone without a copy.
    const bool was_own = undone && number >= 1 &&
                         number <= static_cast<int64_t>(content.steps.size()) &&
                         content.steps[static_cast<size_t>(number - 1)].state == State::kDone;
    step_of(content, number, was_own ? State::kDone : State::kUndoing, where).state =
        undone ? State::kUndone : State::kDone;
  } else if (line.contains("left")) {
    step_of(content, value_of<int64_t>(line, "left", where), State::kDone, where).state =
        State::kUndone;
  } else if (line.contains("finished")) {
    content.finished = true;
  } else {
    refuse(where, "unknown");
  }
}

}  // namespace

Json identity_to_json(const Identity& identity) {
  return {{"device", identity.device},     {"inode", identity.inode},
          {"size", identity.size_bytes},   {"allocated", identity.allocated_bytes},
          {"mtime_ns", identity.mtime_ns}, {"links", identity.links},
          {"mode", identity.mode},         {"user", identity.user},
          {"group", identity.group}};
}

std::optional<JournalContent> parse_journal(const std::string& text, const std::string& source) {
  JournalContent content;
  int64_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    if (end == std::string::npos) break;
    const std::string where = fmt::format("{}:{}", source, ++number);
    const Json line = parse_json(std::string_view(text).substr(begin, end - begin), where, 8);
    if (!line.is_object()) refuse(where, "it is no JSON object");
    if (number > 1) {
      take_line(content, line, where);
    } else {
      if (value_of<int>(line, "journal", where) != 1)
        fail(ErrorKind::kUnsupported, "{}: written by a newer version of this program", where);
      content.title = value_of<std::string>(line, "title", where);
      content.started = value_of<std::string>(line, "started", where);
    }
    begin = end + 1;
    content.complete_bytes = begin;
  }
  if (number == 0) return std::nullopt;
  return content;
}

JournalFile JournalFile::create(const fs::path& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_APPEND, 0600);
  if (file < 0)
    fail(ErrorKind::kIo, "{}: cannot make the journal: {}", path.string(), std::strerror(errno));
  JournalFile journal(file, path);
  // Waits: another process may just be looking whether this journal is an orphan.
  while (::flock(file, LOCK_EX) != 0)
    if (errno != EINTR)
      fail(ErrorKind::kIo, "{}: cannot lock it: {}", path.string(), std::strerror(errno));
  return journal;
}

std::optional<JournalFile> JournalFile::try_open(const fs::path& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_APPEND | O_NOFOLLOW);
  if (file < 0) {
    if (errno == ENOENT) return std::nullopt;
    fail(ErrorKind::kIo, "{}: cannot open the journal: {}", path.string(), std::strerror(errno));
  }
  JournalFile journal(file, path);
  if (::flock(file, LOCK_EX | LOCK_NB) == 0) return journal;
  if (errno == EWOULDBLOCK) return std::nullopt;
  fail(ErrorKind::kIo, "{}: cannot lock it: {}", path.string(), std::strerror(errno));
}

JournalFile::~JournalFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

JournalFile::JournalFile(JournalFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)) {}

std::optional<JournalContent> JournalFile::read() {
  const auto content = parse_journal(read_file(path_), path_.string());
  if (content && ::ftruncate(descriptor_, static_cast<off_t>(content->complete_bytes)) != 0)
    fail(ErrorKind::kIo, "{}: cannot cut off a torn line: {}", path_.string(),
         std::strerror(errno));
  return content;
}

void JournalFile::append(const Json& line) {
  const std::string text = line.dump() + "\n";
  for (size_t at = 0; at < text.size();) {
    const ssize_t count = ::write(descriptor_, text.data() + at, text.size() - at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0)
      fail(ErrorKind::kIo, "{}: cannot write the journal: {}; nothing is replaced without it",
           path_.string(), std::strerror(errno));
    at += static_cast<size_t>(count);
  }
  sync_file(descriptor_, path_);
}

std::vector<fs::path> journal_paths(const fs::path& folder) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error))
    if (entry->path().extension() == kEnding &&
        entry->symlink_status(error).type() == fs::file_type::regular)
      paths.push_back(entry->path());
  if (error && error != std::errc::no_such_file_or_directory)
    fail(ErrorKind::kIo, "{}: cannot list the journals: {}", folder.string(), error.message());
  std::sort(paths.begin(), paths.end(), std::greater<>());
  return paths;
}

void restore_mode_of_survivor(const JournalStep& step) {
  const auto now = identity_of(step.keep);
  if (!now || !unchanged(*now, step.keep_before) || now->links > 1) return;
  // Not ours to set: then it stays read-only, which harms nobody.
  (void)!::chmod(step.keep.c_str(), step.keep_before.mode);
}

std::string utc_now(bool for_file_name) {
  using namespace std::chrono;
  const auto now = system_clock::now();
  const std::time_t seconds = system_clock::to_time_t(floor<std::chrono::seconds>(now));
  const auto part = duration_cast<milliseconds>(now - floor<std::chrono::seconds>(now)).count();
  std::tm time{};
  ::gmtime_r(&seconds, &time);
  char text[32];
  std::strftime(text, sizeof text, for_file_name ? "%Y%m%dT%H%M%S" : "%Y-%m-%dT%H:%M:%SZ", &time);
  return for_file_name ? fmt::format("{}{:03}Z", text, part) : text;
}

}  // namespace toolkit::files
