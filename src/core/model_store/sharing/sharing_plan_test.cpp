#include "core/model_store/sharing/sharing_plan.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/base/atomic_file.h"
#include "core/base/testing.h"
#include "core/files/folder.h"
#include "core/hash/hasher.h"

namespace fs = std::filesystem;
using namespace toolkit::model_store;
namespace files = toolkit::files;
using files::LinkKind;
using toolkit::ErrorKind;
using toolkit::read_file;
using toolkit::testing::contains;
using toolkit::testing::TestingFolder;

namespace {

const files::LinkPolicy kHardOrClone = {LinkKind::kHardLink, LinkKind::kClone};

/// Stores in one folder, and what was read of them.
struct Machine {
  TestingFolder folder;
  std::vector<Inventory> inventories;
  std::vector<fs::path> hashed;

  fs::path add(Place place, const std::string& name, const std::string& content,
               const files::LinkPolicy& policy = kHardOrClone, const std::string& claim = "") {
    const fs::path path = folder.write(name, content);
    list(place, path, policy, claim);
    return path;
  }
  void list(Place place, const fs::path& path, const files::LinkPolicy& policy = kHardOrClone,
            const std::string& claim = "") {
    StoredFile file{.name = path.filename().string(),
                    .path = path,
                    .identity = *files::resolved_identity(path),
                    .claimed = toolkit::hash::parse_digest(claim),
                    .policy = policy};
    StoredModel model;
    model.name.identifier = path.string();
    model.place = place;
    model.files.push_back(std::move(file));
    inventories.push_back({.place = place, .root = folder.path, .present = true});
    inventories.back().models.push_back(std::move(model));
  }
  /// Sizes and links as they are by now.
  void look_again() {
    for (Inventory& inventory : inventories)
      for (StoredModel& model : inventory.models)
        for (StoredFile& file : model.files) file.identity = *files::resolved_identity(file.path);
  }
  SharingPlan plan(const std::string& link = "auto") {
    hashed.clear();
    return plan_sharing(inventories,
                        [this](const StoredFile& file) {
                          hashed.push_back(file.path.filename());
                          return toolkit::hash::hash_file(file.path,
                                                          toolkit::hash::Algorithm::kSha256);
                        },
                        {.smallest_bytes = 1000, .link = link});
  }
  SharingReport share(const std::string& link = "auto") {
    return apply_sharing(plan(link), folder.path / "journal", "sync");
  }
};

std::string weights(char letter) {
  return std::string(200000, letter);
}

std::string sha256_of(const std::string& text) {
  return toolkit::hash::hash_bytes(toolkit::hash::Algorithm::kSha256,
                                   {reinterpret_cast<const uint8_t*>(text.data()), text.size()})
      .hex;
}

bool shared(const fs::path& a, const fs::path& b) {
  return files::same_file(*files::identity_of(a), *files::identity_of(b));
}

std::string why(const SharingPlan& plan, const std::string& name) {
  for (const LeftAlone& left : plan.left_alone)
    if (left.path.filename() == name) return left.reason;
  return "";
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("sharing: the same weights in three programs become one file - ours is kept") {
    Machine machine;
    const fs::path hub = machine.add(Place::kHub, "hub/blob", weights('a'));
    const fs::path ollama = machine.add(Place::kOllama, "ollama/blob", weights('a'));
    const fs::path ours = machine.add(Place::kCache, "cache/model.gguf", weights('a'));
    machine.add(Place::kFolder, "app/other", weights('b'));
    const uint64_t one = files::identity_of(hub)->allocated_bytes;
    const SharingPlan plan = machine.plan();
    REQUIRE(plan.duplicates.size() == 1);
    CHECK(plan.duplicates[0].keep.path.filename() == "model.gguf");
    CHECK(plan.duplicates[0].keep_place == Place::kCache);
    CHECK(plan.duplicates[0].sha256 == sha256_of(weights('a')));
    CHECK(plan.freed_bytes == 2 * one);
    CHECK(plan.hashed_bytes == 800000);
    CHECK(!shared(ours, hub));
    const SharingReport report = machine.share();
    CHECK(report.replaced.size() == 2);
    CHECK(report.skipped.empty());
    CHECK(report.freed_bytes == 2 * one);
    CHECK(shared(ours, hub));
    CHECK(shared(ours, ollama));
    CHECK(read_file(machine.folder.path / "app/other") == weights('b'));
    machine.look_again();
    CHECK(machine.plan().duplicates.empty());
    CHECK(machine.share().journal == "");
    CHECK(files::undo_journal(machine.folder.path / "journal", report.journal).restored == 2);
    CHECK(!shared(ours, hub));
    CHECK(read_file(hub) == weights('a'));
  }

  TEST_CASE("sharing: nothing is read whose size or claim is alone") {
    Machine machine;
    machine.add(Place::kHub, "one", weights('a'), kHardOrClone, sha256_of(weights('a')));
    machine.add(Place::kOllama, "two", weights('b'), kHardOrClone, sha256_of(weights('b')));
    machine.add(Place::kFolder, "longer", weights('c') + "x");
    machine.add(Place::kFolder, "small1", "tiny");
    machine.add(Place::kFolder, "small2", "tiny");
    const SharingPlan plan = machine.plan();
    CHECK(plan.duplicates.empty());
    CHECK(machine.hashed.empty());
    CHECK(plan.left_alone.empty());
  }

  TEST_CASE("sharing: a claim never replaces anything, and a false one is named") {
    Machine machine;
    const std::string claim = sha256_of(weights('a'));
    const fs::path good = machine.add(Place::kHub, "good", weights('a'), kHardOrClone, claim);
    const fs::path bad = machine.add(Place::kOllama, "bad", weights('b'), kHardOrClone, claim);
    const fs::path also_b = machine.add(Place::kFolder, "also_b", weights('b'));
    const SharingPlan plan = machine.plan();
    CHECK(machine.hashed.size() == 3);
    CHECK(plan.duplicates.empty());
    CHECK(contains(why(plan, "bad"), "not what its name says"));
    machine.share();
    CHECK(read_file(good) == weights('a'));
    CHECK(!shared(bad, also_b));
  }

  TEST_CASE("sharing: without ours the file with most names is kept, then the oldest") {
    Machine machine;
    const fs::path first = machine.add(Place::kHub, "first", weights('a'));
    const fs::path second = machine.add(Place::kOllama, "second", weights('a'));
    fs::last_write_time(second, fs::last_write_time(first) - std::chrono::hours(1));
    machine.look_again();
    CHECK(machine.plan().duplicates.at(0).keep.path.filename() == "second");
    fs::create_hard_link(first, machine.folder.path / "unlisted");
    machine.look_again();
    CHECK(machine.plan().duplicates.at(0).keep.path.filename() == "first");
  }

  TEST_CASE("sharing: blocks count as freed only when no name of the file is left") {
    Machine machine;
    machine.add(Place::kCache, "ours", weights('a'));
    const fs::path path = machine.add(Place::kHub, "blob", weights('a'));
    fs::create_hard_link(path, machine.folder.path / "unlisted");
    machine.look_again();
    CHECK(machine.plan().freed_bytes == 0);
    CHECK(machine.plan().duplicates.size() == 1);
    machine.list(Place::kFolder, machine.folder.path / "unlisted");
    CHECK(machine.plan().freed_bytes == files::identity_of(path)->allocated_bytes);
    CHECK(machine.share().freed_bytes ==
          files::identity_of(machine.folder.path / "ours")->allocated_bytes);
  }

  TEST_CASE("sharing: what may become of a name is its place's and the user's choice") {
    Machine machine;
    const fs::path ours = machine.add(Place::kCache, "ours", weights('a'));
    const fs::path never = machine.add(Place::kJan, "never", weights('a'), {});
    const fs::path clone =
        machine.add(Place::kFolder, "clone", weights('a'), {LinkKind::kClone, LinkKind::kCopy});
    const fs::path hard = machine.add(Place::kHub, "hard", weights('a'), {LinkKind::kHardLink});
    SharingPlan plan = machine.plan("hard_link");
    CHECK(why(plan, "never") == "its program does not take links");
    CHECK(why(plan, "clone") == "its place takes no hard links");
    REQUIRE(plan.duplicates.size() == 1);
    CHECK(plan.duplicates[0].replace.size() == 1);
    plan = machine.plan("clone");
    CHECK(why(plan, "hard") == "its place takes no clones");
    const SharingReport report = machine.share();
    CHECK(shared(ours, hard));
    CHECK(!shared(ours, never));
    CHECK(!shared(ours, clone));
    if (!files::can_link(machine.folder.path, machine.folder.path, LinkKind::kClone)) {
      REQUIRE(report.skipped.size() == 1);
      CHECK(contains(report.skipped[0].reason, "the file system cannot share blocks"));
    }
  }

  TEST_CASE("sharing: a clone frees its blocks once and is left by the next plan") {
    Machine machine;
    const fs::path ours = machine.add(Place::kCache, "ours", weights('a'));
    if (!files::can_link(machine.folder.path, machine.folder.path, LinkKind::kClone)) {
      std::puts("SKIPPED: the file system of the temporary folder has no clones (TMPDIR)");
      return;
    }
    const fs::path app = machine.add(Place::kFolder, "app", weights('a'), {LinkKind::kClone});
    const auto before = *files::identity_of(app);
    const SharingReport report = machine.share();
    REQUIRE(report.replaced.size() == 1);
    CHECK(report.replaced[0].link == LinkKind::kClone);
    CHECK(files::identity_of(app)->mtime_ns == before.mtime_ns);
    CHECK(files::share_blocks(ours, app));
    machine.look_again();
    CHECK(machine.plan().duplicates.empty());
    const auto undone = files::undo_journal(machine.folder.path / "journal", report.journal);
    CHECK(undone.already_own == 1);
    CHECK(undone.clones == std::vector<fs::path>{app});
  }

  TEST_CASE("sharing: two listings of one path are one name, and only what both allow") {
    Machine machine;
    machine.add(Place::kCache, "ours", weights('a'));
    const fs::path path = machine.add(Place::kLmStudio, "real/model.gguf", weights('a'));
    fs::create_directory_symlink("real", machine.folder.path / "link");
    machine.list(Place::kFolder, machine.folder.path / "link/model.gguf",
                 {LinkKind::kClone, LinkKind::kHardLink});
    machine.list(Place::kCache, path, {});  // our symlink to it
    const SharingPlan plan = machine.plan();
    REQUIRE(plan.duplicates.size() == 1);
    REQUIRE(plan.duplicates[0].replace.size() == 1);
    CHECK(plan.duplicates[0].replace[0].policy == kHardOrClone);
    CHECK(plan.duplicates[0].replace_places[0] == Place::kLmStudio);
    CHECK(machine.share().replaced.size() == 1);
  }

  TEST_CASE("sharing: an unreadable file and one that changes are left, the rest is shared") {
    Machine machine;
    const fs::path ours = machine.add(Place::kCache, "ours", weights('a'));
    const fs::path gone = machine.add(Place::kHub, "gone", weights('a'));
    const fs::path good = machine.add(Place::kHub, "good", weights('a'));
    fs::remove(gone);
    CHECK(contains(why(machine.plan(), "gone"), "cannot open"));
    machine.folder.write("gone", weights('a'));
    machine.look_again();
    const SharingPlan plan = machine.plan();
    std::ofstream(gone, std::ios::in | std::ios::out) << "edit";
    const SharingReport report = apply_sharing(plan, machine.folder.path / "journal", "sync");
    REQUIRE(report.skipped.size() == 1);
    CHECK(contains(report.skipped[0].reason, "changed since its content was compared"));
    CHECK(shared(ours, good));
    CHECK(read_file(gone).starts_with("edit"));
  }

  TEST_CASE("sharing: a journal that cannot be written ends it, what was done is told") {
    Machine machine;
    machine.add(Place::kCache, "ours", weights('a'));
    const fs::path hub = machine.add(Place::kHub, "hub", weights('a'));
    const SharingPlan plan = machine.plan();
    const pid_t child = ::fork();
    if (child == 0) {
      // The header of the journal fits, the first step does not.
      const rlimit limit{100, 100};
      ::setrlimit(RLIMIT_FSIZE, &limit);
      ::signal(SIGXFSZ, SIG_IGN);
      const auto report = apply_sharing(plan, machine.folder.path / "journal", "sync");
      ::_exit(contains(report.stopped, "cannot write the journal") && report.replaced.empty() ? 7
                                                                                              : 8);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WEXITSTATUS(status) == 7);
    CHECK(files::recover_journals(machine.folder.path / "journal") == 1);
    CHECK(!shared(machine.folder.path / "ours", hub));
    CHECK(machine.share().replaced.size() == 1);
  }

  TEST_CASE("sharing: another owner and a closed folder are left with the reason") {
    if (::geteuid() != 0) {
      std::puts("SKIPPED: only root can give files to another user");
      return;
    }
    Machine machine;
    machine.add(Place::kCache, "ours", weights('a'));
    const fs::path other = machine.add(Place::kOllama, "other", weights('a'));
    REQUIRE(::chown(other.c_str(), 65534, 65534) == 0);
    machine.look_again();
    CHECK(contains(why(machine.plan(), "other"), "owned by user 65534"));
  }

  TEST_CASE("sharing: equal content on another volume stays, with one kept there") {
    const auto memory = files::resolved_identity("/dev/shm");
    Machine machine;
    const fs::path ours =
        machine.add(Place::kCache, "ours", weights('a'), kHardOrClone, sha256_of(weights('a')));
    if (!memory || memory->device == files::identity_of(ours)->device) {
      std::puts("SKIPPED: no second file system to write to (/dev/shm)");
      return;
    }
    const fs::path volume = fs::path("/dev/shm") / files::temporary_name();
    fs::create_directory(volume);
    for (const char* name : {"far1", "far2"}) {
      std::ofstream(volume / name) << weights('a');
      machine.list(Place::kFolder, volume / name);
    }
    const SharingPlan plan = machine.plan();
    const SharingReport report = apply_sharing(plan, machine.folder.path / "journal", "sync");
    const bool one = shared(volume / "far1", volume / "far2");
    fs::remove_all(volume);
    CHECK(plan.duplicates.size() == 1);
    CHECK(report.replaced.size() == 1);
    CHECK(one);
    CHECK(contains(why(plan, "far1") + why(plan, "far2"), "other volume than"));
  }
}
