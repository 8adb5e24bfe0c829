#include <doctest/doctest.h>

#include <fstream>

#include "core/base/testing.h"
#include "core/model_store/folders/app_folder.h"
#include "core/model_store/folders/jan.h"
#include "core/model_store/folders/lm_studio.h"
#include "core/model_store/folders/plain_folder.h"
#include "core/model_store/weight_file.h"

namespace toolkit::model_store {

namespace {

namespace fs = std::filesystem;
using testing::contains;
using testing::refusal_of;
using testing::TestingFolder;

std::vector<std::string> names_of(const Inventory& inventory) {
  std::vector<std::string> names;
  for (const StoredModel& model : inventory.models)
    for (const StoredFile& file : model.files)
      names.push_back(model.path.filename().string() + ":" + file.name);
  std::sort(names.begin(), names.end());
  return names;
}

/// A model of our store with the files as they lie in `folder`.
Metadata metadata_of(const std::string& uri, const fs::path& folder) {
  Metadata metadata;
  metadata.name = parse_model_name(uri);
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) {
      FileRecord record;
      record.name = entry.path().lexically_relative(folder).string();
      record.size_bytes = entry.file_size();
      metadata.files.push_back(std::move(record));
    }
  return metadata;
}

}  // namespace

TEST_SUITE_BEGIN("unit");

TEST_CASE("weights are known by their ending") {
  for (const char* name : {"a.safetensors", "b.GGUF", "c-00001-of-00002.bin", "d.pth", "e.onnx"})
    CHECK(is_weight_file(name));
  for (const char* name : {"config.json", "model.safetensors.index.json", "gguf", "x.txt", ""})
    CHECK_FALSE(is_weight_file(name));
}

TEST_CASE("models of a plain folder: folders with weights, each GGUF alone, shards together") {
  TestingFolder root;
  root.write("llama/config.json", "{}");
  root.write("llama/model.safetensors", "weights");
  root.write("ggufs/a.gguf", "1");
  root.write("ggufs/b-00001-of-00002.gguf", "2");
  root.write("ggufs/b-00002-of-00002.gguf", "3");
  root.write("ggufs/notes.txt", "no weights");
  root.write(".git/lfs/objects/x.safetensors", "hidden");
  fs::create_symlink(root.path / "llama/model.safetensors", root.path / "ggufs/link.gguf");
  const Inventory inventory = read_plain_folder(root.path);
  CHECK(inventory.present);
  CHECK(inventory.problems.empty());
  CHECK(names_of(inventory) ==
        std::vector<std::string>{"a.gguf:a.gguf", "b-00001-of-00002.gguf:b-00001-of-00002.gguf",
                                 "b-00001-of-00002.gguf:b-00002-of-00002.gguf", "llama:config.json",
                                 "llama:model.safetensors"});
  CHECK(inventory.models[0].files[0].policy.front() == files::LinkKind::kClone);
  CHECK_FALSE(read_plain_folder(root.path / "absent").present);
}

TEST_CASE("a local model is taken in whole, hashed, or refused with the reason") {
  TestingFolder root;
  root.write("m/config.json", "{}");
  root.write("m/sub/model.safetensors", "abc");
  root.write("m/.cache/x", "hidden");
  uint64_t last = 0, all = 0;
  const Offer offer = make_local_offer(
      root.path / "m", [&](uint64_t done, uint64_t total) { last = done, all = total; });
  REQUIRE(offer.files.size() == 2);
  CHECK(offer.name.source == Source::kLocal);
  CHECK(offer.files[1].name == "sub/model.safetensors");
  CHECK(offer.files[1].digest.hex ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(last == 5);
  CHECK(all == 5);
  const auto refused = [&](const fs::path& path, ErrorKind kind = ErrorKind::kUserInput) {
    return refusal_of([&] { make_local_offer(path, {}); }, kind);
  };
  CHECK(contains(refused(root.path / "absent", ErrorKind::kNotFound), "absent"));
  CHECK(contains(refused(root.path / "m/config.json"), "one .gguf"));
  root.write("text/readme.md", "x");
  CHECK(contains(refused(root.path / "text"), "expected weights"));
  root.write("m/SUB/Model.safetensors", "abc");
  CHECK(contains(refused(root.path / "m"), "case only"));
  root.write("m/a\x1b[31m.bin", "x");
  CHECK_FALSE(contains(refused(root.path / "m"), "\x1b"));
  CHECK(make_local_offer(root.write("x.gguf", "GGUF"), {}).files.size() == 1);
}

TEST_CASE("LM Studio: two levels are models, weights elsewhere are listed with the reason") {
  TestingFolder home;
  home.write("models/org/m/x.gguf", "1");
  home.write("models/org/m/mmproj-x.gguf", "2");
  home.write("models/stray.gguf", "3");
  home.write("models/org/readme.md", "4");
  const Inventory inventory = read_lm_studio(home.path);
  REQUIRE(inventory.models.size() == 2);
  CHECK(contains(inventory.models[0].not_shareable, "<publisher>/<model>"));
  CHECK(inventory.models[1].files.size() == 2);
  CHECK(inventory.models[1].not_shareable.empty());
  const std::string other = (home.path / "elsewhere").string();
  fs::create_directories(other);
  home.write("settings.json", "{\"downloadsFolder\":\"" + other + "\"}");
  CHECK(lm_studio_models(home.path) == other);
}

TEST_CASE("a GGUF of ours is shown to LM Studio by hard link and taken back by inode") {
  TestingFolder root;
  root.write("store/model.gguf", "weights");
  root.write("store/params.json", "{}");
  const Metadata metadata = metadata_of("ollama://tiny:1b", root.path / "store");
  const fs::path home = root.path / "lmstudio";
  const fs::path folder = publish_to_lm_studio(home, metadata, root.path / "store");
  CHECK(folder == home / "models/ollama/tiny-1b");
  CHECK(fs::equivalent(folder / "tiny-1b.gguf", root.path / "store/model.gguf"));
  CHECK(std::distance(fs::directory_iterator(folder), fs::directory_iterator()) == 1);
  CHECK(publish_to_lm_studio(home, metadata, root.path / "store") == folder);  // once more
  const auto made = [&] { return published_in_lm_studio(home, metadata, root.path / "store"); };
  CHECK(made()->listing == read_lm_studio(home).models.at(0).path);
  REQUIRE(made()->files.size() == 1);
  CHECK(made()->files[0].path == fs::canonical(folder) / "tiny-1b.gguf");
  CHECK(made()->files[0].name == "model.gguf");
  root.write("lmstudio/models/ollama/tiny-1b/own.gguf", "the user's");
  CHECK(made()->listing.empty());  // no longer ours alone
  // Downloaded by LM Studio, then made one file with ours by sync: stays when ours goes.
  fs::create_directories(home / "models/ollama/other-1b");
  fs::create_hard_link(root.path / "store/model.gguf",
                       home / "models/ollama/other-1b/other-1b.gguf");
  const Metadata other = metadata_of("ollama://other:1b", root.path / "store");
  publish_to_lm_studio(home, other, root.path / "store");
  CHECK(withdraw_from_lm_studio(home, other, root.path / "store") == 0);
  CHECK(fs::exists(home / "models/ollama/other-1b/other-1b.gguf"));
  CHECK(withdraw_from_lm_studio(home, metadata, root.path / "store") == 1);
  CHECK_FALSE(fs::exists(folder / "tiny-1b.gguf"));
  CHECK(fs::exists(folder / "own.gguf"));
  CHECK(fs::exists(root.path / "store/model.gguf"));
  CHECK_FALSE(fs::exists(home / ".mlx-cache"));
  CHECK_FALSE(made());
}

TEST_CASE("LM Studio gets safetensors only when they are MLX's, another file there stays") {
  TestingFolder root;
  root.write("store/config.json", "{}");
  root.write("store/model.safetensors", "weights");
  const fs::path home = root.path / "lmstudio";
  const auto metadata = [&] { return metadata_of("hf://org/m", root.path / "store"); };
  CHECK(publish_to_lm_studio(home, metadata(), root.path / "store").empty());
  CHECK_FALSE(fs::exists(home));
  root.write("store/config.json", R"({"quantization":{"bits":4}})");
  root.write("lmstudio/models/org/m/config.json", "theirs");
  const fs::path folder = publish_to_lm_studio(home, metadata(), root.path / "store");
  CHECK(folder == home / "models/org/m");
  CHECK(fs::file_size(folder / "config.json") == 6);
  CHECK(withdraw_from_lm_studio(home, metadata(), root.path / "store") == 1);
  CHECK(fs::file_size(folder / "config.json") == 6);
}

TEST_CASE("Jan's model.yml leads to its files, absolute or below its data") {
  TestingFolder root;
  const fs::path weights = root.write("elsewhere/w.gguf", "weights");
  root.write("jan/llamacpp/models/b/model.gguf", "b");
  root.write("jan/models/llamacpp/a/model.yml",
             "name: a\nmodel_path: \"" + weights.string() + "\"\nsize_bytes: 7\n");
  root.write("jan/llamacpp/models/b/model.yml", "model_path: llamacpp/models/b/model.gguf\r\n");
  root.write("jan/llamacpp/models/c/model.yml", "model_path: ../../elsewhere/w.gguf\n");
  root.write("jan/llamacpp/models/d/model.yml", "model_path: /nowhere/w.gguf\n");
  const Inventory inventory = read_jan(root.path / "jan");
  REQUIRE(inventory.models.size() == 4);
  CHECK(inventory.models[0].files[0].path == weights);
  CHECK(inventory.models[1].files[0].path == root.path / "jan/llamacpp/models/b/model.gguf");
  CHECK(inventory.models[2].files.empty());
  CHECK(contains(inventory.models[3].not_shareable, "not there"));
  CHECK_FALSE(read_jan(root.path / "nobody").present);
}

TEST_CASE("an app is named by its bundle, its project or its folder") {
  TestingFolder root;
  root.write("Chat.app/Contents/Info.plist",
             "<dict><key>CFBundleName</key>\n <string>My Chat</string></dict>");
  root.write("Chat.app/Contents/Resources/x", "");
  CHECK(describe_app(root.path / "Chat.app").name == "My Chat");
  CHECK(describe_app(root.path / "Chat.app").models.filename() == "Resources");
  root.write("code/pyproject.toml", "[build-system]\nname = \"no\"\n[project]\nname = \"talk\"\n");
  CHECK(describe_app(root.path / "code").name == "talk");
  root.write("plain\x1b/x", "");
  CHECK(describe_app(root.path / "plain\x1b").name == "plain\\x1b");
  CHECK_FALSE(refusal_of([&] { describe_app(root.path / "no"); }, ErrorKind::kNotFound).empty());
  CHECK(contains(refusal_of([&] { describe_app(root.path / "code/pyproject.toml"); }), "a file"));
}

TEST_SUITE_END();

}  // namespace toolkit::model_store
