#include "core/model_store/ollama/store_folder.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "core/base/atomic_file.h"
#include "core/base/json.h"
#include "core/base/testing.h"
#include "core/checkpoint/gguf_builder.h"
#include "core/hash/hasher.h"

namespace toolkit::model_store::ollama {

namespace {

namespace fs = std::filesystem;
using testing::contains;
using testing::refusal_of;
using testing::TestingFolder;

std::string sha256_of(const std::string& bytes) {
  return hash::hash_bytes(hash::Algorithm::kSha256,
                          {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()})
      .hex;
}

/// A folder laid out as Ollama's, with models put in as a pull would.
struct Store {
  TestingFolder folder;
  fs::path root = folder.path / "ollama";

  std::string blob(const std::string& bytes) const {
    const std::string hex = sha256_of(bytes);
    folder.write("ollama/blobs/sha256-" + hex, bytes);
    return hex;
  }
  std::string manifest(const std::string& place, const std::vector<std::string>& kinds,
                       const std::string& seed) const {
    const auto layer = [&](const std::string& type, const std::string& bytes) {
      return fmt::format(R"({{"mediaType":"{}","digest":"sha256:{}","size":{}}})", type,
                         blob(bytes), bytes.size());
    };
    std::string layers;
    for (const std::string& kind : kinds)
      layers += (layers.empty() ? "" : ",") + layer(kLayerType + kind, seed + kind);
    const std::string text = fmt::format(R"({{"schemaVersion":2,"config":{},"layers":[{}]}})",
                                         layer(kConfigType, seed + "config"), layers);
    folder.write("ollama/manifests/" + place, text);
    return text;
  }
};

/// A model of our own store: a real small GGUF, and its records.
struct OwnModel {
  fs::path path;
  Metadata metadata;
};

FileRecord record(const std::string& name, const std::string& bytes) {
  FileRecord made;
  made.name = name;
  made.size_bytes = bytes.size();
  made.sha256 = made.digest.hex = sha256_of(bytes);
  return made;
}

OwnModel own_gguf(const TestingFolder& folder) {
  checkpoint::GgufBuilder file;
  file.preamble(1, 2)
      .key_text("general.architecture", "llama")
      .key_text("tokenizer.chat_template", "<|im_start|>x<|im_end|>")
      .tensor("token_embd.weight", {32, 8}, 0, 0)
      .pad()
      .zeros(1024);
  const fs::path path = folder.write("own/x.gguf", file.bytes());
  OwnModel own{path.parent_path(), {}};
  own.metadata.name = parse_model_name("hf://org/x-GGUF");
  own.metadata.files.push_back(record("x.gguf", read_file(path)));
  return own;
}

const OllamaName kName{"hf.co", "org", "x-GGUF", "latest"};

}  // namespace

TEST_SUITE_BEGIN("unit");

TEST_CASE("Ollama's store is read: names, files, ids, and what cannot be shared") {
  Store store;
  const std::string text =
      store.manifest("registry.ollama.ai/library/tiny/1b", {"model", "template"}, "a");
  store.manifest("hf.co/org/Some-Model/Q4_K_M", {"model"}, "b");
  store.manifest("registry.ollama.ai/library/mlx/latest", {"tensor", "tensor"}, "c");
  store.folder.write("ollama/manifests/.DS_Store", "x");
  store.folder.write("ollama/manifests/registry.ollama.ai/library/tiny/.hidden", "x");
  const Inventory inventory = read_store(store.root);
  CHECK(inventory.problems.empty());
  REQUIRE(inventory.models.size() == 3);
  const StoredModel& tiny = inventory.models[2];
  CHECK(tiny.name.uri() == "ollama://tiny:1b");
  CHECK(tiny.revision == sha256_of(text));
  REQUIRE(tiny.files.size() == 4);
  CHECK(tiny.files[0].name == "model.gguf");
  CHECK(tiny.files[0].claimed->hex == sha256_of("amodel"));
  CHECK(tiny.files[0].policy ==
        files::LinkPolicy{files::LinkKind::kHardLink, files::LinkKind::kClone});
  CHECK(tiny.files[3].name == kManifestFile);
  CHECK(tiny.files[3].policy.empty());
  CHECK(inventory.models[0].name.identifier == "hf.co/org/Some-Model:Q4_K_M");
  CHECK(contains(inventory.models[1].not_shareable, "one blob per tensor"));
  CHECK_FALSE(read_store(store.root / "absent").present);
}

TEST_CASE("missing, short and linked blobs are told, a damaged manifest is a problem") {
  Store store;
  store.manifest("registry.ollama.ai/library/gone/1", {"model"}, "a");
  store.manifest("registry.ollama.ai/library/linked/1", {"model"}, "b");
  store.manifest("registry.ollama.ai/library/short/1", {"model"}, "c");
  fs::remove(store.root / "blobs" / ("sha256-" + sha256_of("amodel")));
  const fs::path blob = store.root / "blobs" / ("sha256-" + sha256_of("bmodel"));
  fs::rename(blob, store.folder.path / "far");
  fs::create_symlink(store.folder.path / "far", blob);
  store.folder.write("ollama/blobs/sha256-" + sha256_of("cmodel"), "c");
  store.folder.write("ollama/manifests/registry.ollama.ai/library/bad/1", "{\"schemaVer");
  store.folder.write("ollama/manifests/registry.ollama.ai/library/bad/na me", "{}");
  const Inventory inventory = read_store(store.root);
  REQUIRE(inventory.models.size() == 3);
  CHECK(contains(inventory.models[0].not_shareable, "is missing"));
  CHECK(inventory.models[1].files[0].policy.empty());
  CHECK(inventory.models[1].files[0].path.filename() == "far");
  CHECK(contains(inventory.models[2].not_shareable, "its manifest says 6"));
  REQUIRE(inventory.problems.size() == 2);
  CHECK(contains(inventory.problems[0], "bad/1"));
}

TEST_CASE("a manifest that is just being written is read again") {
  Store store;
  const std::string text = store.manifest("registry.ollama.ai/library/t/1", {"model"}, "a");
  const fs::path path = store.root / "manifests/registry.ollama.ai/library/t/1";
  store.folder.write("ollama/manifests/registry.ollama.ai/library/t/1", text.substr(0, 40));
  std::thread writer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    write_file_atomically(path, text);
  });
  const Inventory inventory = read_store(store.root);
  writer.join();
  CHECK(inventory.problems.empty());
  CHECK(inventory.models.size() == 1);
}

TEST_CASE("a GGUF of ours becomes a model of Ollama without a second copy, and goes again") {
  Store store;
  const OwnModel own = own_gguf(store.folder);
  const auto publish_it = [&] {
    return publish(store.root, kName, own.metadata, own.path, "x.gguf");
  };
  CHECK(contains(publish_it(), "1 hard link"));
  const fs::path blob = blob_path(store.root, own.metadata.files[0].digest);
  CHECK(fs::equivalent(blob, own.path / "x.gguf"));
  const fs::path manifest = store.root / "manifests/hf.co/org/x-GGUF/latest";
  const Inventory inventory = read_store(store.root);
  CHECK(inventory.problems.empty());
  REQUIRE(inventory.models.size() == 1);
  CHECK(inventory.models[0].not_shareable.empty());
  CHECK(inventory.models[0].files.size() == 5);  // model, template, params, config, manifest
  CHECK((fs::status(manifest).permissions() & fs::perms::others_read) != fs::perms::none);
  CHECK(contains(publish_it(), "4 there already"));
  // Nothing that Ollama's start would take or stumble over.
  CHECK(std::distance(fs::directory_iterator(store.root / "blobs"), fs::directory_iterator()) == 4);
  CHECK(std::distance(fs::directory_iterator(store.root / "manifests"), fs::directory_iterator()) ==
        1);
  CHECK(withdraw(store.root, kName, own.metadata, own.path, "x.gguf"));
  CHECK_FALSE(fs::exists(blob));
  CHECK_FALSE(fs::exists(store.root / "manifests/hf.co"));
  CHECK(fs::is_empty(store.root / "blobs"));
  CHECK(fs::exists(own.path / "x.gguf"));
  CHECK_FALSE(withdraw(store.root, kName, own.metadata, own.path, "x.gguf"));
}

TEST_CASE("published: what publish made under a name, until Ollama writes there itself") {
  Store store;
  const OwnModel own = own_gguf(store.folder);
  const auto made = [&] { return published(store.root, kName, own.metadata, own.path); };
  CHECK_FALSE(made());
  publish(store.root, kName, own.metadata, own.path, "x.gguf");
  REQUIRE(made());
  CHECK(made()->name == "hf.co/org/x-GGUF:latest");
  CHECK(made()->listing == read_store(store.root).models.at(0).path);
  REQUIRE(made()->files.size() == 4);
  CHECK(made()->files[0].path == blob_path(store.root, own.metadata.files[0].digest));
  CHECK(made()->files[0].name == "x.gguf");
  CHECK(made()->files[1].name.empty());  // made from its header
  const fs::path manifest = manifest_path(store.root, kName);
  const std::string text = read_file(manifest);
  fs::remove(manifest);
  CHECK(made()->listing.empty());
  CHECK(made()->files.size() == 4);
  std::ofstream(manifest) << text;  // the same bytes, pulled by Ollama
  CHECK_FALSE(made());
}

TEST_CASE("withdraw leaves what others name, what was changed, and all while a manifest is bad") {
  Store store;
  const OwnModel own = own_gguf(store.folder);
  publish(store.root, kName, own.metadata, own.path, "x.gguf");
  publish(store.root, {"hf.co", "org", "x-GGUF", "copy"}, own.metadata, own.path, "x.gguf");
  const fs::path blob = blob_path(store.root, own.metadata.files[0].digest);
  const fs::path bad = store.folder.write("ollama/manifests/a/b/c/d", "{");
  const auto withdraw_it = [&] {
    return withdraw(store.root, kName, own.metadata, own.path, "x.gguf");
  };
  CHECK_FALSE(withdraw_it());
  fs::remove(bad);
  CHECK(withdraw_it());
  CHECK(fs::exists(blob));
  publish(store.root, kName, own.metadata, own.path, "x.gguf");
  const fs::path manifest = manifest_path(store.root, kName);
  store.folder.write("ollama/manifests/hf.co/org/x-GGUF/latest", read_file(manifest) + " ");
  CHECK_FALSE(withdraw_it());
  CHECK(fs::exists(manifest));
}

TEST_CASE("a model from a registry keeps its manifest byte for byte") {
  Store store;
  const std::string text = store.manifest("registry.ollama.ai/library/t/1", {"model"}, "a");
  OwnModel own{store.folder.path / "own", {}};
  own.metadata.name = parse_model_name("ollama://t:1");
  for (const auto& [name, bytes] : {std::pair<std::string, std::string>{"model.gguf", "amodel"},
                                    {"config.json", "aconfig"},
                                    {"manifest.json", text}}) {
    store.folder.write("own/" + name, bytes);
    own.metadata.files.push_back(record(name, bytes));
  }
  const fs::path other = store.folder.path / "other";
  const OllamaName name{"registry.ollama.ai", "library", "t", "1"};
  publish(other, name, own.metadata, own.path);
  CHECK(read_file(manifest_path(other, name)) == text);
  CHECK(read_store(other).models.at(0).revision == sha256_of(text));
  own.metadata.files[0].sha256 = std::string(64, '0');
  CHECK(contains(refusal_of([&] { publish(other, name, own.metadata, own.path); }), "verify"));
  own.metadata.files.erase(own.metadata.files.begin());
  CHECK(contains(refusal_of([&] { publish(other, name, own.metadata, own.path); }), "model.gguf"));
}

TEST_CASE("on another volume a blob is a copy, which withdraw takes back too") {
  Store store;
  const OwnModel own = own_gguf(store.folder);
  const auto here = files::identity_of(own.path);
  const auto memory = files::identity_of("/dev/shm");
  if (!memory || memory->device == here->device) {
    std::printf("SKIPPED: no second volume at /dev/shm\n");
    return;
  }
  const fs::path other = "/dev/shm/" + store.folder.path.filename().string();
  CHECK(contains(publish(other, kName, own.metadata, own.path, "x.gguf"), "1 copy"));
  const fs::path blob = blob_path(other, own.metadata.files[0].digest);
  CHECK(hash::hash_file(blob, hash::Algorithm::kSha256).hex == own.metadata.files[0].sha256);
  CHECK(contains(publish(other, kName, own.metadata, own.path, "x.gguf"), "4 there already"));
  CHECK(withdraw(other, kName, own.metadata, own.path, "x.gguf"));
  CHECK_FALSE(fs::exists(blob));
  CHECK(read_store(other).models.empty());
  // Pulled by Ollama over ours: the same bytes in a file of another time.
  publish(other, kName, own.metadata, own.path, "x.gguf");
  const fs::path manifest = manifest_path(other, kName);
  const std::string bytes = read_file(manifest);
  fs::remove(manifest);
  std::ofstream(manifest) << bytes;
  CHECK_FALSE(withdraw(other, kName, own.metadata, own.path, "x.gguf"));
  CHECK(fs::exists(blob));
  fs::remove_all(other);
}

TEST_CASE("what Ollama pulled itself is never taken back, though it is the same to the last byte") {
  Store store;
  const std::string text = store.manifest("registry.ollama.ai/library/t/1", {"model"}, "a");
  OwnModel own{store.folder.path / "own", {}};
  own.metadata.name = parse_model_name("ollama://t:1");
  fs::create_directories(own.path);
  const OllamaName name{"registry.ollama.ai", "library", "t", "1"};
  for (const auto& [file, bytes] :
       {std::pair<std::string, std::string>{"model.gguf", "amodel"}, {"config.json", "aconfig"}}) {
    fs::create_hard_link(store.root / "blobs" / ("sha256-" + sha256_of(bytes)), own.path / file);
    own.metadata.files.push_back(record(file, bytes));
  }
  store.folder.write("own/manifest.json", text);
  own.metadata.files.push_back(record("manifest.json", text));
  CHECK(contains(publish(store.root, name, own.metadata, own.path), "2 there already"));
  CHECK_FALSE(withdraw(store.root, name, own.metadata, own.path));
  CHECK(read_store(store.root).models.at(0).files.size() == 3);
  // A newer one of ours does not take the place of theirs, but of our own older one.
  own.metadata.files.back() = record("manifest.json", text + "\n");
  store.folder.write("own/manifest.json", text + "\n");
  CHECK(contains(publish(store.root, name, own.metadata, own.path), "left alone"));
  CHECK(read_file(manifest_path(store.root, name)) == text);
  const fs::path other = store.folder.path / "other";
  publish(other, name, own.metadata, own.path);
  own.metadata.files.back() = record("manifest.json", text);
  store.folder.write("own/manifest.json", text);
  publish(other, name, own.metadata, own.path);
  CHECK(read_file(manifest_path(other, name)) == text);
  CHECK(withdraw(other, name, own.metadata, own.path));
  CHECK_FALSE(fs::exists(other / ".mlx-cache"));
}

TEST_CASE("a publication that was cut off is taken back - or finished by the next one") {
  Store store;
  const OwnModel own = own_gguf(store.folder);
  const auto publish_it = [&] {
    return publish(store.root, kName, own.metadata, own.path, "x.gguf");
  };
  const auto withdraw_it = [&] {
    return withdraw(store.root, kName, own.metadata, own.path, "x.gguf");
  };
  // As a kill leaves it before the manifest's rename: record and blobs.
  publish_it();
  fs::remove_all(store.root / "manifests/hf.co");
  CHECK_FALSE(fs::is_empty(store.root / "blobs"));
  CHECK_FALSE(withdraw_it());
  CHECK(fs::is_empty(store.root / "blobs"));
  CHECK_FALSE(fs::exists(store.root / ".mlx-cache"));

  publish_it();
  fs::remove_all(store.root / "manifests/hf.co");
  fs::remove(blob_path(store.root, own.metadata.files[0].digest));
  publish_it();
  CHECK(read_store(store.root).models.at(0).not_shareable.empty());
  // And in the middle of taking back: the manifest is gone, blobs are not.
  const fs::path manifest = manifest_path(store.root, kName);
  fs::remove(manifest);
  CHECK_FALSE(withdraw_it());
  CHECK(fs::is_empty(store.root / "blobs"));
}

TEST_CASE("a newer one of ours takes the older one's blobs with it") {
  Store store;
  const std::string text = store.manifest("registry.ollama.ai/library/t/1", {"model"}, "a");
  const std::string newer = store.manifest("registry.ollama.ai/library/t/1", {"model"}, "b");
  const OllamaName name{"registry.ollama.ai", "library", "t", "1"};
  const fs::path other = store.folder.path / "other";
  for (const auto& [bytes, letter] : {std::pair{text, "a"}, {newer, "b"}}) {
    OwnModel own{store.folder.path / "own", {}};
    own.metadata.name = parse_model_name("ollama://t:1");
    for (const auto& [file, content] :
         {std::pair<std::string, std::string>{"model.gguf", letter + std::string("model")},
          {"config.json", letter + std::string("config")},
          {"manifest.json", bytes}}) {
      store.folder.write("own/" + file, content);
      own.metadata.files.push_back(record(file, content));
    }
    publish(other, name, own.metadata, own.path);
    CHECK(read_file(manifest_path(other, name)) == bytes);
    CHECK(fs::exists(other / "blobs" / ("sha256-" + sha256_of(letter + std::string("model")))));
    if (letter == std::string("b")) {
      CHECK_FALSE(fs::exists(other / "blobs" / ("sha256-" + sha256_of("amodel"))));
      CHECK(withdraw(other, name, own.metadata, own.path));
      CHECK(fs::is_empty(other / "blobs"));
    }
    fs::remove_all(own.path);
  }
}

TEST_CASE("a digest's place is no proof: a damaged blob is replaced, another user's model stays") {
  Store store;
  const OwnModel own = own_gguf(store.folder);
  const std::string hex = own.metadata.files[0].sha256;
  store.folder.write("ollama/blobs/sha256-" + hex,
                     std::string(own.metadata.files[0].size_bytes, 'x'));
  CHECK(contains(publish(store.root, kName, own.metadata, own.path, "x.gguf"), "1 hard link"));
  CHECK(hash::hash_file(store.root / "blobs" / ("sha256-" + hex), hash::Algorithm::kSha256).hex ==
        hex);
  const std::string theirs = store.manifest("hf.co/org/x-GGUF/other", {"model"}, "q");
  CHECK(contains(
      publish(store.root, {"hf.co", "org", "x-GGUF", "other"}, own.metadata, own.path, "x.gguf"),
      "left alone"));
  CHECK(read_file(store.root / "manifests/hf.co/org/x-GGUF/other") == theirs);
}

TEST_SUITE_END();

}  // namespace toolkit::model_store::ollama
