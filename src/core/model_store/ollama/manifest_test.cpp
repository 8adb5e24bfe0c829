#include "core/model_store/ollama/manifest.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "core/base/testing.h"

namespace toolkit::model_store::ollama {

namespace {

using testing::contains;
using testing::refusal_of;

const std::string kA(64, 'a'), kB(64, 'b'), kC(64, 'c');

std::string layer_text(const std::string& kind, const std::string& digest,
                       const std::string& size = "5") {
  return fmt::format(R"({{"mediaType":"{}{}","digest":"{}","size":{}}})", kLayerType, kind, digest,
                     size);
}

std::string manifest_text(const std::string& layers) {
  return fmt::format(
      R"({{"schemaVersion":2,"config":{{"mediaType":"{}","digest":"sha256:{}","size":7}},"layers":[{}]}})",
      kConfigType, kA, layers);
}

std::string refused(const std::string& text) {
  return refusal_of([&] { parse_manifest(text, "tag"); });
}

}  // namespace

TEST_SUITE_BEGIN("unit");

TEST_CASE("a manifest is read and written as Ollama has it") {
  const Manifest manifest =
      parse_manifest(manifest_text(layer_text("model", "sha256:" + kB, "1000") + "," +
                                   layer_text("template", "sha256-" + kC)),
                     "tag");
  CHECK(manifest.config.digest.hex == kA);
  REQUIRE(manifest.layers.size() == 2);
  REQUIRE(manifest.model());
  CHECK(manifest.model()->digest.hex == kB);
  CHECK(manifest.model()->size_bytes == 1000);
  CHECK_FALSE(manifest.one_blob_per_tensor());
  const std::string text = to_json_text(manifest);
  CHECK(text.starts_with(R"({"schemaVersion":2,"mediaType":"application/vnd.docker.)"));
  CHECK(text.ends_with("]}\n"));
  CHECK(contains(text, "\"digest\":\"sha256:" + kC + "\""));
  CHECK(to_json_text(parse_manifest(text, "again")) == text);
}

TEST_CASE("a model of one blob per tensor has no GGUF, its names are ours") {
  const Manifest manifest = parse_manifest(manifest_text(layer_text("tensor", "sha256:" + kB) +
                                                         "," + layer_text("json", "sha256:" + kC)),
                                           "tag");
  CHECK(manifest.model() == nullptr);
  CHECK(manifest.one_blob_per_tensor());
  const auto named = named_layers(manifest);
  REQUIRE(named.size() == 3);
  CHECK(named[0].name == "layer-bbbbbbbbbbbb");
  CHECK(named[2].name == "config.json");
}

TEST_CASE("names of layers are unique, and one content of one kind is one file") {
  const Manifest manifest = parse_manifest(
      manifest_text(
          layer_text("model", "sha256:" + kB) + "," + layer_text("adapter", "sha256:" + kA) + "," +
          layer_text("adapter", "sha256:" + kC) + "," + layer_text("adapter", "sha256:" + kC) +
          "," + layer_text("params", "sha256:" + kC)),
      "tag");
  std::vector<std::string> names;
  for (const NamedLayer& named : named_layers(manifest)) names.push_back(named.name);
  CHECK(names == std::vector<std::string>{"model.gguf", "adapter.gguf", "adapter-2.gguf",
                                          "params.json", "config.json"});
}

TEST_CASE("manifests that could lead elsewhere or overflow are refused with what was found") {
  for (const std::string& digest :
       {std::string("sha256:../../../../etc/passwd"), "sha256:" + kA.substr(1),
        "sha256:" + kA + "0", kA, "sha1:" + kA, "sha256:" + kA.substr(4) + "/../",
        std::string("sha256:"), "sha256:" + kA.substr(1) + "g"}) {
    CAPTURE(digest);
    CHECK(contains(refused(manifest_text(layer_text("model", digest))), "64 hexadecimal digits"));
  }
  for (const char* size : {"-1", "1.5", "\"5\"", "9223372036854775807", "1e3", "null"}) {
    CAPTURE(size);
    CHECK(contains(refused(manifest_text(layer_text("model", "sha256:" + kB, size))), "size"));
  }
  const std::string half = layer_text("model", "sha256:" + kB, "4611686018427387000");
  CHECK(contains(refused(manifest_text(half + "," + half)), "together"));
  CHECK(contains(refused("[]"), "JSON object"));
  CHECK(contains(refused("{}"), "schemaVersion 2"));
  CHECK(contains(refused(R"({"schemaVersion":1,"fsLayers":[]})"), "found 1"));
  CHECK(contains(refused(R"({"schemaVersion":2})"), "'config'"));
  CHECK(contains(refused(R"({"schemaVersion":2,"config":7})"), "found number"));
  CHECK(contains(refused(manifest_text("7")), "layer 1"));
  CHECK_FALSE(refused(R"({"schemaVersion":2,"conf)").empty());
  CHECK_FALSE(contains(refused(manifest_text(layer_text("model", "a\\u001b[31mred"))), "\x1b"));
  std::string many = layer_text("tensor", "sha256:" + kB, "1");
  std::string list = many;
  for (int i = 0; i < 100'000; ++i) list += "," + many;
  CHECK(contains(refused(manifest_text(list)), "100001"));
}

TEST_SUITE_END();

}  // namespace toolkit::model_store::ollama
