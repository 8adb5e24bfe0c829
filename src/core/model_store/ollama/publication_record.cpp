#include "core/model_store/ollama/publication_record.h"

#include <algorithm>
#include <span>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/files/identity.h"
#include "core/hash/hasher.h"

namespace toolkit::model_store::ollama {

namespace fs = std::filesystem;

namespace {

constexpr size_t kLongestRecord = size_t{1} << 20;
constexpr const char* kFolder = ".mlx-cache";

fs::path record_path(const fs::path& ollama_models, const OllamaName& name) {
  return ollama_models / kFolder / name.host / name.name_space / name.model / (name.tag + ".json");
}

std::string checked_hex(const Json& value) {
  const auto hex = value.get<std::string>();
  const auto digest = hash::parse_digest("sha256:" + hex);
  if (!digest) fail(ErrorKind::kUserInput, "a record's digest");
  return digest->hex;
}

}  // namespace

PublicationRecord::Manifest noted(const fs::path& path, const std::string& bytes) {
  const auto identity = files::identity_of(path);
  if (!identity) fail(ErrorKind::kIo, "{}: gone while it was written", path.string());
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  return {hash::hash_bytes(hash::Algorithm::kSha256, std::span(data, bytes.size())).hex,
          identity->inode, identity->mtime_ns};
}

bool PublicationRecord::has(const fs::path& manifest, const std::string& bytes) const {
  if (!files::identity_of(manifest)) return false;
  const Manifest there = noted(manifest, bytes);
  return std::find(manifests.begin(), manifests.end(), there) != manifests.end();
}

std::optional<PublicationRecord> read_record(const fs::path& ollama_models,
                                             const OllamaName& name) {
  try {
    const fs::path path = record_path(ollama_models, name);
    const Json text = parse_json(read_file(path, kLongestRecord), path.string());
    PublicationRecord record;
    for (const Json& manifest : text.at("manifests"))
      record.manifests.push_back({checked_hex(manifest.at("sha256")),
                                  manifest.at("inode").get<uint64_t>(),
                                  manifest.at("mtime_ns").get<int64_t>()});
    for (const Json& hex : text.at("blobs")) record.blobs.insert(checked_hex(hex));
    return record;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

void write_record(const fs::path& ollama_models, const OllamaName& name,
                  const PublicationRecord& record) {
  const fs::path path = record_path(ollama_models, name);
  Json manifests = Json::array();
  for (const auto& manifest : record.manifests)
    manifests.push_back(
        {{"sha256", manifest.sha256}, {"inode", manifest.inode}, {"mtime_ns", manifest.mtime_ns}});
  fs::create_directories(path.parent_path());
  write_file_atomically(path,
                        Json({{"manifests", manifests}, {"blobs", record.blobs}}).dump() + "\n");
}

void remove_record(const fs::path& ollama_models, const OllamaName& name) {
  const fs::path path = record_path(ollama_models, name);
  std::error_code ignored;
  fs::remove(path, ignored);
  remove_empty_record_folders(ollama_models, name);
}

void remove_empty_record_folders(const fs::path& ollama_models, const OllamaName& name) {
  remove_empty_folders(record_path(ollama_models, name).parent_path(), ollama_models);
}

void remove_empty_folders(fs::path folder, const fs::path& top) {
  std::error_code error;  // not empty; one that is not there is none
  for (; folder != top && !error; folder = folder.parent_path()) fs::remove(folder, error);
}

}  // namespace toolkit::model_store::ollama
