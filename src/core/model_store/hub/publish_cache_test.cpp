#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "core/base/atomic_file.h"
#include "core/base/json.h"
#include "core/base/testing.h"
#include "core/model_store/hub/cache_folder.h"

using namespace toolkit;
using namespace toolkit::model_store;
using namespace toolkit::model_store::hub;
using toolkit::testing::contains;
using toolkit::testing::refusal_of;
using toolkit::testing::TestingFolder;
namespace fs = std::filesystem;

namespace {

const std::string kCommit(40, 'a');
const std::string kOldCommit(40, 'b');
const std::string kWeights(64, '1');
const std::string kConfig(40, '2');

uint64_t inode_of(const fs::path& path) {
  return files::resolved_identity(path)->inode;
}

// A model of ours and an empty hub cache on the same file system.
struct Machine : TestingFolder {
  Metadata metadata;
  Machine() {
    write("store/model/model.safetensors", std::string(100, 'w'));
    write("store/model/onnx/config.json", "{}");
    metadata.name = {Source::kHuggingFace, "org/name"};
    metadata.revision = kCommit;
    metadata.downloaded_at = "2026-11-21T15:44:28Z";
    add_file("model.safetensors", 100, hash::Algorithm::kSha256, kWeights);
    add_file("onnx/config.json", 2, hash::Algorithm::kGitBlob, kConfig);
  }
  void add_file(const char* name, uint64_t size_bytes, hash::Algorithm algorithm,
                const std::string& hex) {
    FileRecord file;
    file.name = name;
    file.size_bytes = size_bytes;
    file.digest = {algorithm, hex};
    metadata.files.push_back(std::move(file));
  }
  fs::path model() const { return path / "store/model"; }
  fs::path hub() const { return path / "hub"; }
  fs::path repo() const { return hub() / "models--org--name"; }
  fs::path snapshot() const { return repo() / "snapshots" / kCommit; }
  Published publish_it() { return publish(hub(), metadata, model()); }
  void withdraw_it() { withdraw(hub(), metadata, model()); }
  std::string ref(const std::string& name = "main") const {
    return fs::exists(repo() / "refs" / name) ? read_file(repo() / "refs" / name) : "";
  }
  // A snapshot that huggingface_hub downloaded, with an own blob and one that both share.
  void other_snapshot(const std::string& ref_name) {
    write("hub/models--org--name/blobs/" + std::string(40, '9'), "other");
    fs::create_directories(repo() / "snapshots" / kOldCommit);
    fs::create_symlink("../../blobs/" + std::string(40, '9'),
                       repo() / "snapshots" / kOldCommit / "old.txt");
    if (!ref_name.empty()) write("hub/models--org--name/refs/" + ref_name, kOldCommit);
  }
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("publish: blobs are our files, snapshots relative symlinks, the ref is the commit") {
    Machine machine;
    const Published published = machine.publish_it();
    CHECK(published.snapshot == machine.snapshot());
    CHECK(published.links ==
          std::vector<std::string>{"model.safetensors: hard link", "onnx/config.json: hard link"});
    CHECK(fs::read_symlink(machine.snapshot() / "model.safetensors") == "../../blobs/" + kWeights);
    CHECK(fs::read_symlink(machine.snapshot() / "onnx/config.json") == "../../../blobs/" + kConfig);
    CHECK(inode_of(machine.snapshot() / "model.safetensors") ==
          inode_of(machine.model() / "model.safetensors"));
    CHECK_FALSE(fs::is_symlink(machine.repo() / "blobs" / kWeights));
    CHECK(machine.ref() == kCommit);
    CHECK(fs::exists(machine.hub() / "CACHEDIR.TAG"));
    const Inventory found = read_cache(machine.hub());
    CHECK(found.problems.empty());
    REQUIRE(found.models.size() == 1);
    CHECK(found.models[0].name.identifier == "org/name");
    CHECK(found.models[0].files.size() == 2);
    for (const auto& entry : fs::recursive_directory_iterator(machine.repo()))
      CHECK_FALSE(entry.path().string().ends_with(".incomplete"));
  }

  TEST_CASE("publish: the list of all files is written for a whole model only") {
    Machine machine;
    machine.metadata.partial = true;
    machine.publish_it();
    const fs::path tree = machine.repo() / "trees" / (kCommit + ".json");
    CHECK_FALSE(fs::exists(tree));
    machine.metadata.partial = false;
    machine.publish_it();
    CHECK(parse_json(read_file(tree), "t")["files"].size() == 2);
    machine.metadata.partial = true;  // ours was too short then, so it goes
    machine.publish_it();
    CHECK_FALSE(fs::exists(tree));
    machine.write("hub/models--org--name/trees/" + kCommit + ".json", "of huggingface_hub");
    machine.metadata.partial = false;
    machine.publish_it();
    CHECK(read_file(tree) == "of huggingface_hub");
  }

  TEST_CASE("publish: again changes nothing - equal files that are there stay") {
    Machine machine;
    machine.publish_it();
    CHECK(machine.publish_it().links[0] == "model.safetensors: hard link, there already");
    fs::remove(machine.repo() / "blobs" / kWeights);
    machine.write("hub/models--org--name/blobs/" + kWeights, std::string(100, 'w'));
    const uint64_t theirs = inode_of(machine.repo() / "blobs" / kWeights);
    CHECK(contains(machine.publish_it().links[0], "there already as a copy"));
    CHECK(inode_of(machine.repo() / "blobs" / kWeights) == theirs);
  }

  TEST_CASE("publish: a damaged blob and a wrong snapshot entry are made right") {
    Machine machine;
    machine.write("hub/models--org--name/blobs/" + kWeights, "torn");
    machine.write("hub/models--org--name/snapshots/" + kCommit + "/model.safetensors", "torn");
    CHECK(contains(machine.publish_it().links[0], "the one there had 4 bytes"));
    CHECK(inode_of(machine.snapshot() / "model.safetensors") ==
          inode_of(machine.model() / "model.safetensors"));
  }

  TEST_CASE("publish: a blob in the shared store stays a link to it") {
    Machine machine;
    const fs::path shared = machine.write("hub/blobs/ff/" + kWeights, std::string(100, 'w'));
    fs::create_directories(machine.repo() / "blobs");
    fs::create_symlink("../../blobs/ff/" + kWeights, machine.repo() / "blobs" / kWeights);
    CHECK(contains(machine.publish_it().links[0], "shared store"));
    CHECK(inode_of(machine.snapshot() / "model.safetensors") == inode_of(shared));
    machine.withdraw_it();
    CHECK(fs::is_symlink(machine.repo() / "blobs" / kWeights));
    CHECK(fs::exists(shared));
  }

  TEST_CASE("publish: a commit as revision has a ref as well, or prune would take it") {
    Machine machine;
    machine.metadata.name = {Source::kHuggingFace, "org/name@" + kCommit};
    machine.publish_it();
    CHECK(machine.ref(kCommit) == kCommit);
    CHECK(machine.ref() == "");
  }

  TEST_CASE("publish: a ref that another program moved later is not moved back") {
    Machine machine;
    machine.other_snapshot("main");  // the file is of today, the model of 2026-11-21 or before
    machine.metadata.downloaded_at = "2001-01-01T00:00:00Z";
    machine.publish_it();
    CHECK(machine.ref() == kOldCommit);
    machine.metadata.downloaded_at = "2999-01-01T00:00:00Z";
    machine.publish_it();
    CHECK(machine.ref() == kCommit);
    machine.withdraw_it();  // what it named before comes back
    CHECK(machine.ref() == kOldCommit);
    CHECK(read_cache(machine.hub()).models.size() == 1);
  }

  TEST_CASE("publish: a damaged model of ours, hostile names and planted symlinks are refused") {
    Machine machine;
    machine.metadata.files[0].size_bytes = 101;
    CHECK(contains(refusal_of([&] { machine.publish_it(); }, ErrorKind::kIo), "mlx-cache verify"));
    CHECK(machine.ref() == "");
    machine.metadata.files[0].size_bytes = 100;
    machine.metadata.files[0].name = "../model.safetensors";
    CHECK(refusal_of([&] { machine.publish_it(); }) != "");
    machine.metadata.files[0].name = "model.safetensors";
    machine.metadata.revision = "../../x";
    CHECK(contains(refusal_of([&] { machine.publish_it(); }), "40 hexadecimal digits"));
    machine.metadata.revision = kCommit;
    fs::remove_all(machine.repo());
    fs::create_directories(machine.path / "outside");
    fs::create_directories(machine.repo());
    fs::create_directory_symlink(machine.path / "outside", machine.repo() / "blobs");
    bool refused = false;
    try {
      machine.publish_it();
    } catch (const Error&) {
      refused = true;
    }
    CHECK(refused);
    CHECK(fs::is_empty(machine.path / "outside"));
  }

  TEST_CASE("published: what publish made, as ours while nobody added to it") {
    Machine machine;
    const auto made = [&] { return published(machine.hub(), machine.metadata, machine.model()); };
    CHECK_FALSE(made());
    machine.publish_it();
    const auto listed = read_cache(machine.hub());
    REQUIRE(listed.models.size() == 1);
    CHECK(made()->name == "org/name");
    CHECK(made()->listing == listed.models[0].path);
    REQUIRE(made()->files.size() == 2);
    CHECK(made()->files[0].path == machine.repo() / "blobs" / kWeights);
    CHECK(made()->files[0].name == "model.safetensors");
    // Another program fetched one more file, or named the commit.
    machine.write("hub/models--org--name/snapshots/" + kCommit + "/onnx/own.txt", "x");
    CHECK(made()->listing.empty());
    fs::remove(machine.snapshot() / "onnx/own.txt");
    machine.write("hub/models--org--name/refs/refs/pr/1", kCommit);
    CHECK(made()->listing.empty());
    machine.write("hub/models--org--name/refs/refs/pr/1", kOldCommit);
    CHECK_FALSE(made()->listing.empty());
    // Half taken back: the blobs are ours still.
    fs::remove_all(machine.snapshot());
    CHECK(made()->listing.empty());
    CHECK(made()->files.size() == 2);
    fs::remove(machine.repo() / "blobs" / kConfig);
    machine.write("hub/models--org--name/blobs/" + kConfig, "another");
    CHECK(made()->files.size() == 1);
    fs::remove_all(machine.repo() / ".mlx-cache");
    CHECK_FALSE(made());
  }

  TEST_CASE("published: a snapshot that huggingface_hub downloaded is not ours") {
    Machine machine;
    machine.write("hub/models--org--name/blobs/" + kWeights, std::string(100, 'w'));
    fs::create_directories(machine.snapshot());
    fs::create_symlink("../../blobs/" + kWeights, machine.snapshot() / "model.safetensors");
    machine.publish_it();
    const auto made = published(machine.hub(), machine.metadata, machine.model());
    CHECK(made->listing.empty());
    CHECK(made->files.size() == 1);  // the other one
  }

  TEST_CASE("withdraw: all that publish made goes, our files stay") {
    Machine machine;
    machine.publish_it();
    machine.withdraw_it();
    CHECK_FALSE(fs::exists(machine.repo()));
    CHECK(read_file(machine.model() / "model.safetensors").size() == 100);
    machine.withdraw_it();
  }

  TEST_CASE("withdraw: a publication that was cut off at any step") {
    for (const auto& missing :
         std::vector<std::vector<const char*>>{{"refs"},
                                               {"refs", "snapshots"},
                                               {"refs", "snapshots", "trees"},
                                               {"refs", "snapshots", "trees", "blobs"}}) {
      Machine machine;
      machine.publish_it();
      for (const char* folder : missing) fs::remove_all(machine.repo() / folder);
      machine.withdraw_it();
      CHECK_FALSE(fs::exists(machine.repo()));
    }
  }

  TEST_CASE("withdraw: folders of a publication that ended before its first note") {
    Machine machine;
    for (const char* folder : {"blobs", "snapshots", ".mlx-cache"})
      fs::create_directories(machine.repo() / folder);
    machine.write("hub/models--org--name/blobs/" + kConfig, "{}");
    machine.withdraw_it();
    CHECK(fs::exists(machine.repo() / "blobs" / kConfig));
    CHECK(fs::exists(machine.repo() / "snapshots"));
    fs::remove(machine.repo() / "blobs" / kConfig);
    machine.withdraw_it();
    CHECK_FALSE(fs::exists(machine.repo()));
  }

  TEST_CASE("withdraw: what huggingface_hub had before, or uses by another ref, stays") {
    Machine machine;
    machine.write("hub/models--org--name/blobs/" + kConfig, "{}");
    fs::create_directories(machine.snapshot() / "onnx");
    fs::create_symlink("../../../blobs/" + kConfig, machine.snapshot() / "onnx/config.json");
    machine.publish_it();
    machine.withdraw_it();
    CHECK(fs::exists(machine.snapshot() / "onnx/config.json"));
    CHECK_FALSE(fs::exists(fs::symlink_status(machine.snapshot() / "model.safetensors")));
    machine.publish_it();
    machine.write("hub/models--org--name/refs/v1", kCommit);
    machine.withdraw_it();
    CHECK(machine.ref() == "");
    CHECK(fs::exists(machine.snapshot() / "model.safetensors"));
  }

  TEST_CASE("withdraw: a blob that another snapshot names stays") {
    Machine machine;
    machine.publish_it();
    machine.other_snapshot("v1");
    fs::create_symlink("../../blobs/" + kWeights,
                       machine.repo() / "snapshots" / kOldCommit / "weights");
    machine.withdraw_it();
    CHECK(fs::exists(machine.repo() / "snapshots" / kOldCommit / "weights"));
    CHECK_FALSE(fs::exists(machine.repo() / "blobs" / kConfig));
    CHECK_FALSE(fs::exists(machine.snapshot()));
  }

  TEST_CASE("withdraw: a blob that two commits of ours share goes with the last of them") {
    Machine machine;
    machine.publish_it();
    Metadata old = machine.metadata;
    old.name = {Source::kHuggingFace, "org/name@v1"};
    old.revision = kOldCommit;
    publish(machine.hub(), old, machine.model());
    machine.withdraw_it();
    CHECK(fs::exists(machine.repo() / "snapshots" / kOldCommit / "model.safetensors"));
    withdraw(machine.hub(), old, machine.model());
    CHECK_FALSE(fs::exists(machine.repo()));
  }

  TEST_CASE("withdraw: without a record, or with a forged one, nothing is removed") {
    Machine machine;
    machine.publish_it();
    const std::string record = "hub/models--org--name/.mlx-cache/" + kCommit + ".json";
    machine.write("outside.txt", std::string(100, 'w'));
    for (const char* text :
         {"torn", R"({"version":1,"blobs":["../../../outside.txt"],"files":[],"refs":{}})",
          R"({"version":1,"blobs":[],"files":["../../../../outside.txt"],"refs":{}})",
          R"({"version":1,"blobs":[],"files":[],"refs":{"../../../outside.txt":""}})",
          R"({"version":2,"blobs":[],"files":[],"refs":{}})"}) {
      machine.write(record, text);
      machine.withdraw_it();
      CHECK(fs::exists(machine.snapshot() / "model.safetensors"));
      CHECK(machine.ref() == kCommit);
    }
    CHECK(fs::exists(machine.path / "outside.txt"));
    fs::remove(machine.path / record);
    machine.withdraw_it();
    CHECK(fs::exists(machine.snapshot() / "model.safetensors"));
  }
}
