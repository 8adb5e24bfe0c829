#include "core/model_store/ollama/manifest.h"

#include <nlohmann/json.hpp>
#include <set>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/files/safe_path.h"

namespace toolkit::model_store::ollama {

namespace {

constexpr size_t kMostLayers = 100'000;
constexpr uint64_t kMostBytes = uint64_t{1} << 62;
constexpr size_t kLongestText = 1024;

struct KindOfLayer {
  const char* kind;  // the media type after kLayerType
  const char* stem;
  const char* ending;
};
constexpr KindOfLayer kKinds[] = {
    {"model", "model", ".gguf"},       {"projector", "projector", ".gguf"},
    {"adapter", "adapter", ".gguf"},   {"draft", "draft", ".gguf"},
    {"template", "template", ""},      {"prompt", "template", ""},
    {"system", "system", ""},          {"params", "params", ".json"},
    {"messages", "messages", ".json"}, {"license", "license", ""},
};

std::string kind_of(const Layer& layer) {
  const std::string prefix = kLayerType;
  if (layer.media_type.compare(0, prefix.size(), prefix) != 0) return "";
  return layer.media_type.substr(prefix.size());
}

std::string text_of(const Json& object, const char* key, const std::string& where) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return "";
  if (!found->is_string() || found->get_ref<const std::string&>().size() > kLongestText)
    fail(ErrorKind::kUserInput, "{}: expected '{}' to be a text of at most {} bytes, found {}",
         where, key, kLongestText, found->is_string() ? "a longer one" : found->type_name());
  return found->get<std::string>();
}

Layer parse_layer(const Json& object, const std::string& where) {
  if (!object.is_object())
    fail(ErrorKind::kUserInput, "{}: expected an object with digest and size, found {}", where,
         object.type_name());
  Layer layer;
  layer.media_type = text_of(object, "mediaType", where);
  layer.name = text_of(object, "name", where);
  const std::string digest = text_of(object, "digest", where);
  const auto checked = hash::parse_digest(digest);
  if (!checked || checked->algorithm != hash::Algorithm::kSha256 || !digest.starts_with("sha256"))
    fail(ErrorKind::kUserInput,
         "{}: expected a digest 'sha256:' and 64 hexadecimal digits, found '{}'", where,
         files::escaped(digest.substr(0, 100)));
  layer.digest = *checked;
  const auto size = object.find("size");
  if (size == object.end() || !size->is_number_integer() ||
      (!size->is_number_unsigned() && size->get<int64_t>() < 0) ||
      size->get<uint64_t>() > kMostBytes)
    fail(ErrorKind::kUserInput, "{}: expected a size from 0 to {} bytes, found {}", where,
         kMostBytes, size == object.end() ? "none" : files::escaped(size->dump().substr(0, 40)));
  layer.size_bytes = size->get<uint64_t>();
  return layer;
}

nlohmann::ordered_json layer_json(const Layer& layer) {
  nlohmann::ordered_json object = {{"mediaType", layer.media_type},
                                   {"digest", "sha256:" + layer.digest.hex},
                                   {"size", layer.size_bytes}};
  if (!layer.name.empty()) object["name"] = layer.name;
  return object;
}

}  // namespace

const Layer* Manifest::model() const {
  for (const Layer& layer : layers)
    if (kind_of(layer) == "model") return &layer;
  return nullptr;
}

bool Manifest::one_blob_per_tensor() const {
  for (const Layer& layer : layers)
    if (kind_of(layer) == "tensor") return true;
  return false;
}

Manifest parse_manifest(const std::string& text, const std::string& source) {
  const Json root = parse_json(text, source);
  if (!root.is_object())
    fail(ErrorKind::kUserInput, "{}: expected an Ollama manifest (a JSON object), found {}", source,
         root.type_name());
  const auto version = root.find("schemaVersion");
  if (version == root.end() || !version->is_number_integer() || *version != 2)
    fail(ErrorKind::kUserInput, "{}: expected a manifest with schemaVersion 2, found {}", source,
         version == root.end() ? "none" : files::escaped(version->dump().substr(0, 40)));
  if (!root.contains("config"))
    fail(ErrorKind::kUserInput, "{}: expected a manifest with 'config', found none", source);
  Manifest manifest;
  manifest.config = parse_layer(root["config"], source + ": config");
  const auto layers = root.find("layers");
  if (layers == root.end() || layers->is_null()) return manifest;
  if (!layers->is_array() || layers->size() > kMostLayers)
    fail(ErrorKind::kUserInput, "{}: expected 'layers' to be a list of at most {}, found {}",
         source, kMostLayers,
         layers->is_array() ? std::to_string(layers->size()) : layers->type_name());
  uint64_t total = manifest.config.size_bytes;
  for (const Json& layer : *layers) {
    const std::string where = fmt::format("{}: layer {}", source, manifest.layers.size() + 1);
    manifest.layers.push_back(parse_layer(layer, where));
    total += manifest.layers.back().size_bytes;  // two numbers up to 2^62 each: no overflow
    if (total > kMostBytes)
      fail(ErrorKind::kUserInput, "{}: expected sizes of at most {} bytes together, found more",
           where, kMostBytes);
  }
  return manifest;
}

std::string to_json_text(const Manifest& manifest) {
  nlohmann::ordered_json layers = nlohmann::ordered_json::array();
  for (const Layer& layer : manifest.layers) layers.push_back(layer_json(layer));
  const nlohmann::ordered_json root = {{"schemaVersion", 2},
                                       {"mediaType", kManifestType},
                                       {"config", layer_json(manifest.config)},
                                       {"layers", std::move(layers)}};
  return root.dump() + "\n";
}

std::vector<NamedLayer> named_layers(const Manifest& manifest) {
  std::vector<NamedLayer> named;
  std::set<std::string> names = {kManifestFile}, seen;
  for (const Layer& layer : manifest.layers) {
    const std::string kind = kind_of(layer);
    if (!seen.insert(kind + ":" + layer.digest.hex).second) continue;
    std::string stem = "layer-" + layer.digest.hex.substr(0, 12), ending;
    for (const KindOfLayer& known : kKinds)
      if (kind == known.kind) stem = known.stem, ending = known.ending;
    std::string name = stem + ending;
    for (int number = 2; !names.insert(name).second; ++number)
      name = stem + "-" + std::to_string(number) + ending;
    named.push_back({name, &layer});
  }
  named.push_back({"config.json", &manifest.config});
  return named;
}

}  // namespace toolkit::model_store::ollama
