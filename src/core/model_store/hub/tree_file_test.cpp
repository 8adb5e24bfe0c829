#include "core/model_store/hub/tree_file.h"

#include <doctest/doctest.h>

#include "core/base/json.h"
#include "core/base/testing.h"

using namespace toolkit;
using namespace toolkit::model_store;
using namespace toolkit::model_store::hub;
using toolkit::testing::contains;
using toolkit::testing::refusal_of;

TEST_SUITE("unit") {
  TEST_CASE("tree file: what is written is read again") {
    const hash::Digest git{hash::Algorithm::kGitBlob, std::string(40, '1')};
    const hash::Digest lfs{hash::Algorithm::kSha256, std::string(64, '2')};
    const std::string text =
        tree_file_text({{"a/config.json", 12, git, {}}, {"model.bin", 1ull << 40, lfs, {}}});
    const auto entries = parse_tree_file(text, "t");
    REQUIRE(entries.size() == 2);
    CHECK(entries.at("a/config.json") == TreeEntry{12, git});
    CHECK(entries.at("model.bin") == TreeEntry{1ull << 40, lfs});
    const Json json = parse_json(text, "t");
    CHECK(json["files"]["a/config.json"] == Json{{"size", 12}, {"blob_id", git.hex}});
    CHECK(json["files"]["model.bin"]["lfs_size"] == 1ull << 40);
  }

  TEST_CASE("tree file: blob_id of a file in Git LFS is git's name of its pointer") {
    // From `git hash-object` over the pointer of sha256(""), 0 bytes.
    const std::string empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    CHECK(lfs_pointer_digest(empty, 0).hex == "fc8e42b32efb9a9bf3ae0234a18a948e499490f8");
  }

  TEST_CASE("tree file: damaged entries are no claims, another format is refused") {
    const auto entries =
        parse_tree_file(R"({"format_version":1,"files":{"a":{"size":-1,"blob_id":"x"},"b":7,)"
                        R"("c":{"size":1,"blob_id":"../x"},"d":{"size":1,"blob_id":")" +
                            std::string(40, '1') + R"("}}})",
                        "t");
    CHECK(entries.size() == 1);
    CHECK(entries.contains("d"));
    CHECK(contains(refusal_of([] { parse_tree_file(R"({"format_version":2,"files":{}})", "t"); }),
                   "format_version 1, found 2"));
    CHECK(contains(refusal_of([] { parse_tree_file("[]", "t"); }), "expected 'format_version'"));
    CHECK(contains(refusal_of([] { parse_tree_file(R"({"format_version":1,"files":[]})", "t"); }),
                   "expected 'format_version'"));
  }
}
