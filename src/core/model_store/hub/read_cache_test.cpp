#include <doctest/doctest.h>

#include <filesystem>

#include "core/base/testing.h"
#include "core/model_store/hub/cache_folder.h"
#include "core/model_store/hub/repo_folder.h"

using namespace toolkit;
using namespace toolkit::model_store;
using namespace toolkit::model_store::hub;
using toolkit::testing::contains;
using toolkit::testing::TestingFolder;
namespace fs = std::filesystem;

namespace {

const std::string kCommit(40, 'a');
const std::string kOldCommit(40, 'b');
const std::string kWeights(64, '1');  // an etag that is a sha256
const std::string kSmall(40, '2');    // one that is git's sha1

void link(const fs::path& target, const fs::path& path) {
  fs::create_directories(path.parent_path());
  fs::create_symlink(target, path);
}

// models--org--name with two files at one commit, as huggingface_hub writes it.
struct HubCache : TestingFolder {
  HubCache() {
    write("models--org--name/blobs/" + kWeights, std::string(100, 'w'));
    write("models--org--name/blobs/" + kSmall, "{}");
    write("models--org--name/refs/main", kCommit);
    link("../../blobs/" + kWeights, snapshot() / "model.safetensors");
    link("../../../blobs/" + kSmall, snapshot() / "onnx/config.json");
  }
  fs::path repo() const { return path / "models--org--name"; }
  fs::path snapshot() const { return repo() / "snapshots" / kCommit; }
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("repo folder: names go both ways") {
    CHECK(repo_folder_name("org/name") == "models--org--name");
    CHECK(repo_folder_name("gpt2") == "models--gpt2");
    CHECK(repository_of_folder("models--org--name") == "org/name");
    CHECK(repository_of_folder("models--gpt2") == "gpt2");
    for (const char* name :
         {"datasets--org--name", "models--", "blobs", ".locks", "models--a--b--c", "models----b"})
      CHECK(repository_of_folder(name) == std::nullopt);
    CHECK(blob_link_target("a", "x") == "../../blobs/x");
    CHECK(blob_link_target("a/b/c", "x") == "../../../../blobs/x");
    CHECK(is_commit(kCommit));
    CHECK_FALSE(is_commit(std::string(40, 'A')));
    CHECK_FALSE(is_commit(std::string(39, 'a')));
  }

  TEST_CASE("read cache: a snapshot is a model, its blobs may become hard links or clones only") {
    HubCache cache;
    const Inventory found = read_cache(cache.path);
    CHECK(found.present);
    CHECK(found.problems.empty());
    REQUIRE(found.models.size() == 1);
    const StoredModel& model = found.models[0];
    CHECK(model.name.identifier == "org/name");
    CHECK(model.revision == kCommit);
    CHECK(model.path == cache.snapshot());
    REQUIRE(model.files.size() == 2);
    CHECK(model.files[0].name == "model.safetensors");
    CHECK(model.files[0].path == cache.repo() / "blobs" / kWeights);
    CHECK(model.files[0].identity.size_bytes == 100);
    CHECK(model.files[0].claimed->hex == kWeights);
    CHECK(model.files[0].policy ==
          files::LinkPolicy{files::LinkKind::kHardLink, files::LinkKind::kClone});
    CHECK(model.files[1].name == "onnx/config.json");
    CHECK(model.files[1].claimed->algorithm == hash::Algorithm::kGitBlob);
  }

  TEST_CASE("read cache: each snapshot counts, named by main, another ref or its commit") {
    HubCache cache;
    link("../../blobs/" + kWeights, cache.repo() / "snapshots" / kOldCommit / "model.safetensors");
    CHECK(read_cache(cache.path).models[1].name.identifier == "org/name@" + kOldCommit);
    cache.write("models--org--name/refs/refs/pr/1", kOldCommit);
    CHECK(read_cache(cache.path).models[1].name.identifier == "org/name@refs/pr/1");
    cache.write("models--org--name/refs/a", kCommit);
    CHECK(read_cache(cache.path).models[0].name.identifier == "org/name");
  }

  TEST_CASE("read cache: the file list of a commit gives digests where blobs have none") {
    HubCache cache;
    fs::remove(cache.snapshot() / "model.safetensors");
    cache.write("models--org--name/snapshots/" + kCommit + "/model.safetensors",
                std::string(100, 'w'));
    CHECK_FALSE(read_cache(cache.path).models[0].files[0].claimed);
    const auto tree = [&](int size) {
      cache.write("models--org--name/trees/" + kCommit + ".json",
                  R"({"format_version":1,"files":{"model.safetensors":{"size":)" +
                      std::to_string(size) + R"(,"blob_id":"x","lfs_sha256":")" + kWeights +
                      R"(","lfs_size":100}}})");
    };
    tree(100);
    const StoredFile file = read_cache(cache.path).models[0].files[0];
    CHECK(file.claimed->hex == kWeights);
    CHECK(file.path == cache.snapshot() / "model.safetensors");
    CHECK(file.policy.size() == 2);
    tree(99);
    CHECK_FALSE(read_cache(cache.path).models[0].files[0].claimed);
    cache.write("models--org--name/trees/" + kCommit + ".json", "torn");
    CHECK(read_cache(cache.path).problems.empty());
  }

  TEST_CASE("read cache: the shared blob store is not entered and its files are left alone") {
    HubCache cache;
    const std::string xet(64, 'f');
    cache.write("blobs/.huggingface-shared-blobs", "1\n");
    cache.write("blobs/ff/" + xet, std::string(100, 'w'));
    fs::remove(cache.repo() / "blobs" / kWeights);
    link("../../blobs/ff/" + xet, cache.repo() / "blobs" / kWeights);
    const Inventory found = read_cache(cache.path);
    CHECK(found.problems.empty());
    REQUIRE(found.models.size() == 1);
    const StoredFile& file = found.models[0].files[0];
    CHECK(file.path == fs::canonical(cache.path / "blobs/ff" / xet));
    CHECK(file.policy.empty());
    CHECK(file.claimed->hex == kWeights);
  }

  TEST_CASE("read cache: links that lead elsewhere are left alone, into nothing are a problem") {
    HubCache cache;
    const fs::path outside = cache.write("elsewhere/file.bin", "own");
    link(outside, cache.snapshot() / "extra.bin");
    Inventory found = read_cache(cache.path);
    REQUIRE(found.models[0].files.size() == 3);
    CHECK(found.models[0].files[0].name == "extra.bin");
    CHECK(found.models[0].files[0].policy.empty());
    CHECK(found.problems.empty());
    fs::remove(cache.repo() / "blobs" / kWeights);
    found = read_cache(cache.path);
    REQUIRE(found.problems.size() == 1);
    CHECK(contains(found.problems[0], "model.safetensors: leads to nothing"));
    CHECK(found.models[0].files.size() == 2);
  }

  TEST_CASE("read cache: no cache is no problem - datasets, locks and leftovers are no models") {
    TestingFolder empty;
    CHECK_FALSE(read_cache(empty.path / "hub").present);
    CHECK(read_cache(empty.path / "hub").problems.empty());
    HubCache cache;
    cache.write("datasets--org--d/snapshots/" + kCommit + "/x", "x");
    cache.write(".locks/models--org--name/" + kSmall + ".lock", "");
    cache.write("models--org--gone/.no_exist/" + kCommit + "/x", "");
    cache.write("CACHEDIR.TAG", "");
    cache.write("models--org--name/refs/main.0123abcd.tmp", kCommit);
    const Inventory found = read_cache(cache.path);
    CHECK(found.problems.empty());
    REQUIRE(found.models.size() == 1);
    CHECK(found.models[0].name.identifier == "org/name");
  }

  TEST_CASE("read cache: ten thousand files") {
    HubCache cache;
    for (int i = 0; i < 10000; ++i)
      fs::create_symlink("../../blobs/" + kSmall, cache.snapshot() / ("f" + std::to_string(i)));
    CHECK(read_cache(cache.path).models[0].files.size() == 10002);
  }
}
