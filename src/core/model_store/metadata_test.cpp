#include "core/model_store/metadata.h"

#include <doctest/doctest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "core/base/atomic_file.h"
#include "core/base/testing.h"

namespace toolkit::model_store {

namespace {

namespace fs = std::filesystem;
using testing::contains;
using testing::TestingFolder;

const std::string kSha(64, 'a');
const std::string kGit(40, 'b');

FileRecord file(const std::string& name, uint64_t size, const std::string& digest) {
  FileRecord record;
  record.name = name;
  record.size_bytes = size;
  record.digest = *hash::parse_digest(digest);
  record.sha256 = kSha;
  return record;
}

Metadata sample() {
  Metadata metadata;
  metadata.name = parse_model_name("hf://org/model@v1");
  metadata.revision = kGit;
  metadata.downloaded_at = "2026-11-21T15:44:28Z";
  metadata.endpoint = "https://huggingface.co";
  metadata.partial = true;
  metadata.files = {file("model.safetensors", 5, kSha), file("onnx/config.json", 7, kGit)};
  return metadata;
}

std::string refusal(const std::function<void(nlohmann::json&)>& change) {
  nlohmann::json value = nlohmann::json::parse(to_json_text(sample()));
  change(value);
  return testing::refusal_of([&] { parse_metadata(value.dump(), "m"); });
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("written and read again") {
    const Metadata read = parse_metadata(to_json_text(sample()), "m");
    CHECK(read.name == sample().name);
    CHECK(read.revision == kGit);
    CHECK(read.downloaded_at == sample().downloaded_at);
    CHECK(read.endpoint == sample().endpoint);
    CHECK(read.partial);
    REQUIRE(read.files.size() == 2);
    CHECK(read.files[1].name == "onnx/config.json");
    CHECK(read.files[1].digest == sample().files[1].digest);
    CHECK(read.size_bytes() == 12);
    CHECK(read.checksum() == sample().checksum());
    CHECK(to_json_text(read) == to_json_text(sample()));
  }

  TEST_CASE("the checksum does not depend on the order, but on names and contents") {
    Metadata other = sample();
    std::swap(other.files[0], other.files[1]);
    CHECK(other.checksum() == sample().checksum());
    other.files[0].name = "x";
    CHECK(other.checksum() != sample().checksum());
    CHECK(Metadata{}.checksum() ==
          "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  }

  TEST_CASE("whatever is not exactly such a file is refused with the place") {
    using J = nlohmann::json;
    for (const auto& [change, part] : std::vector<std::pair<std::function<void(J&)>, std::string>>{
             {[](J& v) { v["metadata"] = 2; }, "expected version 1"},
             {[](J& v) { v.erase("files"); }, "'files' is missing"},
             {[](J& v) { v["token"] = "x"; }, "unknown key 'token'"},
             {[](J& v) { v["model"] = "hf://org/../x"; }, "neither '--' nor '..'"},
             {[](J& v) { v["model"] = "https://hf.co/org/model"; }, "expected 'hf://org/model'"},
             {[](J& v) { v["partial"] = 1; }, "expected true or false"},
             {[](J& v) { v["downloaded_at"] = "yesterday"; }, "expected a time"},
             {[](J& v) { v["endpoint"] = "a\x1b[2J"; }, "control characters"},
             {[](J& v) { v["files"] = 1; }, "expected a list"},
             {[](J& v) { v["files"][0] = 1; }, "file 1: expected an object"},
             {[](J& v) { v["files"][0]["name"] = "../../x"; }, "file 1"},
             {[](J& v) { v["files"][0]["name"] = "/etc/passwd"; }, "file 1"},
             {[](J& v) { v["files"][0]["name"] = std::string(300, 'a'); }, "file 1"},
             {[](J& v) { v["files"][0]["size"] = -1; }, "expected a number of bytes"},
             {[](J& v) { v["files"][0]["size"] = 1e30; }, "expected a number of bytes"},
             {[](J& v) { v["files"][0]["digest"] = "sha256:../x"; }, "expected a digest"},
             {[](J& v) { v["files"][0]["sha256"] = kGit; }, "expected 64 hexadecimal digits"},
             {[](J& v) { v["files"][0]["sha256"] = std::string(64, 'c'); }, "contradict"},
             {[](J& v) { v["files"][1]["name"] = "Model.Safetensors"; }, "two files are called"},
             {[](J& v) { v["files"][1]["name"] = "MODEL.safetensors/x"; }, "would lie in a file"},
             {[](J& v) {
                v["files"][0]["size"] = INT64_MAX;
                v["files"][1]["size"] = INT64_MAX;
              },
              "do not fit"}}) {
      const std::string found = refusal(change);
      CHECK_MESSAGE(contains(found, part), found);
    }
    CHECK(!testing::refusal_of([] { parse_metadata("{", "m"); }).empty());
    CHECK(!testing::refusal_of([] { parse_metadata("[]", "m"); }).empty());
  }

  TEST_CASE("in the folder of a model, beside a symlink") {
    const TestingFolder folder;
    const fs::path model = folder.path / "hf--org--model@v1";
    fs::create_directories(model);
    CHECK(!read_metadata(model));
    write_metadata(model, sample());
    CHECK(fs::exists(model / ".metadata.json"));
    CHECK(read_metadata(model)->name == sample().name);
    const fs::path link = folder.path / "hf--org--other";
    fs::create_directory_symlink(model, link);
    CHECK(!read_metadata(link));
    write_metadata(link, sample());
    CHECK(fs::exists(folder.path / ".hf--org--other.metadata.json"));
    CHECK(read_metadata(link)->files.size() == 2);
  }

  TEST_CASE("what could not be read again is not written") {
    const TestingFolder folder;
    Metadata bad = sample();
    bad.files[0].name = "../x";
    CHECK_THROWS_AS(write_metadata(folder.path, bad), Error);
    CHECK(folder.entries() == 0);
  }
}

}  // namespace toolkit::model_store
