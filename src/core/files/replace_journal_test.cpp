#include "core/files/replace_journal.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "core/base/atomic_file.h"
#include "core/base/testing.h"
#include "core/files/journal_records.h"
#include "core/hash/hasher.h"

namespace fs = std::filesystem;
using namespace toolkit::files;
using toolkit::ErrorKind;
using toolkit::read_file;
using toolkit::testing::contains;
using toolkit::testing::refusal_of;
using toolkit::testing::TestingFolder;

namespace {

constexpr int64_t kOldTime = 1'600'000'000'123456789;

void set_time(const fs::path& path, int64_t time_ns) {
  const timespec time = {.tv_sec = time_ns / 1'000'000'000, .tv_nsec = time_ns % 1'000'000'000};
  const timespec times[2] = {time, time};
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
}

/// Two equal files and a journal folder.
struct Scene {
  TestingFolder folder;
  std::string content = std::string(300000, 'w');
  fs::path keep = folder.write("store/weights", content);
  fs::path path = folder.write("app/model.gguf", content);
  fs::path journal = folder.path / "journal";

  Scene() {
    ::chmod(path.c_str(), 0640);
    ::chmod(keep.c_str(), 0644);
    set_time(path, kOldTime);
  }
  Replacement replacement(LinkPolicy policy = {LinkKind::kHardLink}) const {
    return {.path = path,
            .keep = keep,
            .path_before = *identity_of(path),
            .keep_before = *identity_of(keep),
            .sha256 = sha256(),
            .policy = std::move(policy)};
  }
  std::string sha256() const {
    return toolkit::hash::hash_bytes(
               toolkit::hash::Algorithm::kSha256,
               {reinterpret_cast<const uint8_t*>(content.data()), content.size()})
        .hex;
  }
  bool shared() const { return same_file(*identity_of(path), *identity_of(keep)); }
  /// Temporary names beside the replaced file.
  long left_over() const {
    return std::distance(fs::directory_iterator(path.parent_path()), fs::directory_iterator()) - 1;
  }
};

/// Writes a journal of one dead process by hand: its lines up to a moment.
std::string dead_journal(const Scene& scene, const std::string& temporary,
                         const std::vector<toolkit::Json>& further = {}) {
  const Replacement r = scene.replacement();
  std::string text = toolkit::Json({{"journal", 1}, {"title", "sync"}, {"started", "then"}}).dump();
  text += "\n" +
          toolkit::Json({{"step", 1},
                         {"path", r.path.string()},
                         {"keep", r.keep.string()},
                         {"temporary", temporary},
                         {"sha256", r.sha256},
                         {"before", identity_to_json(r.path_before)},
                         {"keep_before", identity_to_json(r.keep_before)}})
              .dump() +
          "\n";
  for (const auto& line : further) text += line.dump() + "\n";
  return text;
}

constexpr const char* kTemporary = ".mlx-cache-0011223344556677";

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("replace_journal: a file becomes a name of the survivor, and its own again") {
    const Scene scene;
    std::string id;
    {
      ReplaceJournal journal(scene.journal, "sync");
      id = journal.id();
      const auto allocated = identity_of(scene.path)->allocated_bytes;
      const ReplaceOutcome outcome = journal.replace(scene.replacement());
      CHECK(outcome.result == ReplaceResult::kDone);
      CHECK(outcome.link.kind == LinkKind::kHardLink);
      CHECK(outcome.freed_bytes == allocated);
      journal.finish();
    }
    CHECK(scene.shared());
    CHECK(identity_of(scene.path)->mode == 0444);  // 0640 and 0644: everyone could read one
    CHECK(scene.left_over() == 0);
    const auto listed = list_journals(scene.journal);
    REQUIRE(listed.size() == 1);
    CHECK(listed[0].id == id);
    CHECK(listed[0].title == "sync");
    CHECK(listed[0].steps == 1);
    CHECK(listed[0].undone == 0);
    CHECK(listed[0].finished);
    uint64_t done = 0, total = 0;
    const UndoReport report = undo_journal(scene.journal, id, [&](uint64_t d, uint64_t t) {
      done = d;
      total = t;
    });
    CHECK(report.restored == 1);
    CHECK(report.skipped.empty());
    CHECK(done == scene.content.size());
    CHECK(total == done);
    CHECK(!scene.shared());
    CHECK(read_file(scene.path) == scene.content);
    CHECK(identity_of(scene.path)->mode == 0640);
    CHECK(identity_of(scene.path)->mtime_ns == kOldTime);
    CHECK(identity_of(scene.keep)->mode == 0644);
    CHECK(scene.left_over() == 0);
    CHECK(list_journals(scene.journal)[0].undone == 1);
    CHECK(undo_journal(scene.journal, id).restored == 0);
  }

  TEST_CASE("replace_journal: what only its owner could read stays so") {
    const Scene scene;
    ::chmod(scene.path.c_str(), 0600);
    ::chmod(scene.keep.c_str(), 0640);
    ReplaceJournal journal(scene.journal, "sync");
    REQUIRE(journal.replace(scene.replacement()).result == ReplaceResult::kDone);
    CHECK(identity_of(scene.path)->mode == 0440);
  }

  TEST_CASE("replace_journal: blocks come back with the last name only") {
    const Scene scene;
    const fs::path second = scene.path.parent_path() / "second.gguf";
    fs::create_hard_link(scene.path, second);
    ReplaceJournal journal(scene.journal, "sync");
    Replacement other = scene.replacement();
    other.path = second;
    CHECK(journal.replace(scene.replacement()).freed_bytes == 0);
    other.keep_before = *identity_of(scene.keep);
    const auto outcome = journal.replace(other);
    CHECK(outcome.result == ReplaceResult::kDone);
    CHECK(outcome.freed_bytes > 0);
    CHECK(identity_of(scene.keep)->links == 3);
  }

  TEST_CASE("replace_journal: what changed since the comparison stays") {
    const Scene scene;
    ReplaceJournal journal(scene.journal, "sync");
    const Replacement before = scene.replacement();
    std::ofstream(scene.path, std::ios::app) << "edit";
    auto outcome = journal.replace(before);
    CHECK(outcome.result == ReplaceResult::kChanged);
    CHECK(contains(outcome.reason, "model.gguf changed since its content was compared"));
    fs::remove(scene.path);
    CHECK(contains(journal.replace(before).reason, "model.gguf is gone"));
    fs::create_symlink(scene.keep, scene.path);
    CHECK(contains(journal.replace(before).reason, "is no regular file any more"));
    fs::remove(scene.path);
    fs::create_hard_link(scene.keep, scene.path);
    CHECK(journal.replace(scene.replacement()).result == ReplaceResult::kAlreadyShared);
    Replacement longer = scene.replacement();
    longer.path = scene.folder.write("app/longer", scene.content + "x");
    longer.path_before = *identity_of(longer.path);
    CHECK(journal.replace(longer).result == ReplaceResult::kChanged);
    CHECK(read_file(longer.path) == scene.content + "x");
  }

  TEST_CASE("replace_journal: a refusal of the file system is an outcome, nothing is left") {
    const Scene scene;
    ReplaceJournal journal(scene.journal, "sync");
    const auto outcome = journal.replace(scene.replacement({}));
    CHECK(outcome.result == ReplaceResult::kRefused);
    CHECK(contains(outcome.reason, "no kind of link is allowed"));
    CHECK(!scene.shared());
    CHECK(scene.left_over() == 0);
    Replacement odd = scene.replacement();
    odd.path = scene.folder.write("app/odd\xff", scene.content);
    odd.path_before = *identity_of(odd.path);
    CHECK(contains(journal.replace(odd).reason, "not UTF-8"));
    CHECK(contains(refusal_of([&] { journal.replace(scene.replacement({LinkKind::kCopy})); },
                              ErrorKind::kInternal),
                   "a copy shares nothing"));
    journal.finish();
    CHECK(list_journals(scene.journal)[0].steps == 0);
  }

  TEST_CASE("replace_journal: recovery before the rename removes the temporary name") {
    const Scene scene;
    scene.folder.write("journal/1.jsonl", dead_journal(scene, kTemporary));
    fs::create_hard_link(scene.keep, scene.path.parent_path() / kTemporary);
    ::chmod(scene.keep.c_str(), 0444);
    CHECK(recover_journals(scene.journal) == 1);
    CHECK(!scene.shared());
    CHECK(scene.left_over() == 0);
    CHECK(read_file(scene.path) == scene.content);
    CHECK(identity_of(scene.keep)->mode == 0644);
    CHECK(list_journals(scene.journal)[0].steps == 0);
    CHECK(list_journals(scene.journal)[0].finished);
    CHECK(recover_journals(scene.journal) == 0);
  }

  TEST_CASE("replace_journal: recovery after the rename knows the link, so that undo works") {
    const Scene scene;
    scene.folder.write("journal/1.jsonl", dead_journal(scene, kTemporary) + "{\"done\":1,\"li");
    fs::create_hard_link(scene.keep, scene.path.parent_path() / kTemporary);
    fs::rename(scene.path.parent_path() / kTemporary, scene.path);
    CHECK(recover_journals(scene.journal) == 1);
    CHECK(list_journals(scene.journal)[0].steps == 1);
    CHECK(undo_journal(scene.journal, "1").restored == 1);
    CHECK(!scene.shared());
    CHECK(read_file(scene.path) == scene.content);
    CHECK(identity_of(scene.path)->mtime_ns == kOldTime);
  }

  TEST_CASE("replace_journal: recovery leaves a path that somebody else replaced") {
    const Scene scene;
    scene.folder.write("journal/1.jsonl", dead_journal(scene, kTemporary));
    fs::remove(scene.path);
    scene.folder.write("app/model.gguf", "new content");
    CHECK(recover_journals(scene.journal) == 1);
    CHECK(read_file(scene.path) == "new content");
    CHECK(list_journals(scene.journal)[0].steps == 0);
  }

  TEST_CASE("replace_journal: an undo that died half way is taken up again") {
    const Scene scene;
    std::string text = dead_journal(scene, kTemporary);
    fs::rename(scene.path, scene.path.parent_path() / "away");
    fs::create_hard_link(scene.keep, scene.path);
    fs::remove(scene.path.parent_path() / "away");
    const auto inode = identity_of(scene.keep)->inode;
    for (const auto& line :
         std::vector<toolkit::Json>{{{"done", 1}, {"link", "hard link"}, {"inode", inode}},
                                    {{"finished", "then"}},
                                    {{"undoing", 1}, {"temporary", kTemporary}}})
      text += line.dump() + "\n";
    scene.folder.write("journal/1.jsonl", text);
    scene.folder.write(std::string("app/") + kTemporary, "half a copy");
    CHECK(recover_journals(scene.journal) == 1);
    CHECK(scene.left_over() == 0);
    CHECK(scene.shared());
    CHECK(undo_journal(scene.journal, "1").restored == 1);
    CHECK(read_file(scene.path) == scene.content);
  }

  TEST_CASE("replace_journal: undo leaves and names what changed since") {
    const Scene scene;
    ReplaceJournal journal(scene.journal, "sync");
    REQUIRE(journal.replace(scene.replacement()).result == ReplaceResult::kDone);
    const std::string id = journal.id();
    CHECK(contains(refusal_of([&] { undo_journal(scene.journal, id); }, ErrorKind::kIo),
                   "another process is at work on it"));
    CHECK(recover_journals(scene.journal) == 0);
    journal.finish();
    fs::rename(scene.path.parent_path(), scene.folder.path / "unmounted");
    auto report = undo_journal(scene.journal, id);
    REQUIRE(report.skipped.size() == 1);
    CHECK(contains(report.skipped[0], "model.gguf: it is gone"));
    fs::rename(scene.folder.path / "unmounted", scene.path.parent_path());
    fs::remove(scene.path);
    scene.folder.write("app/model.gguf", "another model");
    report = undo_journal(scene.journal, id);
    REQUIRE(report.skipped.size() == 1);
    CHECK(contains(report.skipped[0], "changed since it was replaced"));
    CHECK(list_journals(scene.journal)[0].undone == 1);
    CHECK(undo_journal(scene.journal, id).skipped.empty());
    CHECK(read_file(scene.path) == "another model");
    CHECK(contains(refusal_of([&] { undo_journal(scene.journal, "none"); }, ErrorKind::kNotFound),
                   "no such journal"));
    CHECK(contains(refusal_of([&] { undo_journal(scene.journal, "../x"); }), "'..'"));
  }

  TEST_CASE("replace_journal: undo refuses to bring back a content that is damaged") {
    const Scene scene;
    ReplaceJournal journal(scene.journal, "sync");
    REQUIRE(journal.replace(scene.replacement()).result == ReplaceResult::kDone);
    journal.finish();
    ::chmod(scene.keep.c_str(), 0644);
    std::fstream(scene.keep, std::ios::in | std::ios::out) << "damage";
    const auto report = undo_journal(scene.journal, journal.id());
    REQUIRE(report.skipped.size() == 1);
    CHECK(contains(report.skipped[0], "no longer what was replaced"));
    CHECK(scene.left_over() == 0);
  }

  TEST_CASE("replace_journal: a name whose survivor is gone has its content already") {
    const Scene scene;
    ReplaceJournal journal(scene.journal, "sync");
    REQUIRE(journal.replace(scene.replacement()).result == ReplaceResult::kDone);
    journal.finish();
    fs::remove(scene.keep);
    const auto report = undo_journal(scene.journal, journal.id());
    CHECK(report.already_own == 1);
    CHECK(identity_of(scene.path)->mode == 0640);
    CHECK(identity_of(scene.path)->mtime_ns == kOldTime);
    CHECK(read_file(scene.path) == scene.content);
  }

  TEST_CASE("replace_journal: kill -9 at every write leaves the old or the new, and undo works") {
    // The child dies after the n-th line of its journal: before, between and after the steps.
    for (int lines = 1; lines <= 4; ++lines) {
      const Scene scene;
      const Replacement replacement = scene.replacement();
      const pid_t child = ::fork();
      if (child == 0) {
        ReplaceJournal journal(scene.journal, "sync");
        if (lines == 1) ::kill(::getpid(), SIGKILL);
        journal.replace(replacement);
        if (lines <= 3) ::kill(::getpid(), SIGKILL);
        journal.finish();
        ::kill(::getpid(), SIGKILL);
      }
      ::waitpid(child, nullptr, 0);
      // What the disk may hold after a crash: the journal cut anywhere in its last line.
      const fs::path file = journal_paths(scene.journal).at(0);
      if (lines == 2) fs::resize_file(file, fs::file_size(file) - 5);
      recover_journals(scene.journal);
      CHECK(read_file(scene.path) == scene.content);
      CHECK(read_file(scene.keep) == scene.content);
      CHECK(scene.left_over() == 0);
      CHECK(list_journals(scene.journal)[0].finished);
      CHECK(undo_journal(scene.journal, file.stem().string()).restored == (lines == 1 ? 0 : 1));
      CHECK(!scene.shared());
    }
  }

  TEST_CASE("replace_journal: files that are no journals") {
    const Scene scene;
    CHECK(list_journals(scene.journal).empty());
    CHECK(recover_journals(scene.journal) == 0);
    scene.folder.write("journal/empty.jsonl", "");
    scene.folder.write("journal/torn.jsonl", "{\"journal\":1,\"ti");
    scene.folder.write("journal/note.txt", "text");
    CHECK(list_journals(scene.journal).empty());
    CHECK(recover_journals(scene.journal) == 0);
    const std::string good = dead_journal(scene, kTemporary);
    const std::string header = good.substr(0, good.find('\n') + 1);
    const std::pair<std::string, const char*> damaged[] = {
        {"text\n", "damaged.jsonl:1"},
        {"{\"journal\":2}\n", "newer version"},
        {"[]\n", "no JSON object"},
        {header + "{\"done\":1,\"link\":\"hard link\",\"inode\":1}\n", "names a step"},
        {header + "{\"other\":1}\n", "unknown"},
        {good + good.substr(header.size()), "not in order"},
        {good + "{\"undone\":1}\n", "does not fit"},
        {good + "{\"done\":1,\"link\":\"copy\",\"inode\":1}\n", "'link' is none"},
        {dead_journal(scene, "../../etc/passwd"), "no temporary name of ours"},
        {dead_journal(scene, ".mlx-cache-/../x"), "no temporary name of ours"}};
    for (const auto& [text, reason] : damaged) {
      scene.folder.write("journal/damaged.jsonl", text);
      std::string refused;
      try {
        list_journals(scene.journal);
      } catch (const toolkit::Error& error) {
        refused = error.what();
      }
      CHECK_MESSAGE(contains(refused, reason), refused);
      // A damaged one keeps no other from its end, and is not touched.
      scene.folder.write("journal/good.jsonl", good);
      CHECK(recover_journals(scene.journal) == 1);
      CHECK(read_file(scene.journal / "damaged.jsonl") == text);
    }
  }
}
