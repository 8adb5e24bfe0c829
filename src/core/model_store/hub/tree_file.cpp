#include "core/model_store/hub/tree_file.h"

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/hash/hasher.h"

namespace toolkit::model_store::hub {

namespace {

constexpr int kFormatVersion = 1;

std::optional<TreeEntry> entry_of(const Json& info) {
  if (!info.is_object()) return std::nullopt;
  const auto text = [&](const char* key) {
    const auto found = info.find(key);
    return found != info.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  const auto size = info.find("size");
  if (size == info.end() || !size->is_number_unsigned()) return std::nullopt;
  const std::string sha256 = text("lfs_sha256");
  const auto digest = hash::parse_digest(sha256.empty() ? text("blob_id") : sha256);
  if (!digest) return std::nullopt;
  return TreeEntry{size->get<uint64_t>(), *digest};
}

}  // namespace

std::map<std::string, TreeEntry> parse_tree_file(const std::string& json,
                                                 const std::string& source) {
  const Json tree = parse_json(json, source, 16);
  if (!tree.is_object() || !tree.contains("format_version") || !tree.contains("files") ||
      !tree["files"].is_object())
    fail(ErrorKind::kUserInput, "{}: expected 'format_version' and 'files'", source);
  if (tree["format_version"] != kFormatVersion)
    fail(ErrorKind::kUserInput, "{}: expected format_version {}, found {}", source, kFormatVersion,
         tree["format_version"].is_number() ? tree["format_version"].dump() : "none");
  std::map<std::string, TreeEntry> entries;
  for (const auto& [path, info] : tree["files"].items())
    if (const auto entry = entry_of(info)) entries[path] = *entry;
  return entries;
}

std::string tree_file_text(const std::vector<FileRecord>& files) {
  Json listed = Json::object();
  for (const FileRecord& file : files) {
    Json entry = {{"size", file.size_bytes}};
    if (file.digest.algorithm == hash::Algorithm::kGitBlob) {
      entry["blob_id"] = file.digest.hex;
    } else {
      entry["blob_id"] = lfs_pointer_digest(file.digest.hex, file.size_bytes).hex;
      entry["lfs_sha256"] = file.digest.hex;
      entry["lfs_size"] = file.size_bytes;
    }
    listed[file.name] = entry;
  }
  return Json({{"format_version", kFormatVersion}, {"files", listed}}).dump(1);
}

hash::Digest lfs_pointer_digest(const std::string& sha256, uint64_t size_bytes) {
  const std::string pointer = fmt::format(
      "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n", sha256, size_bytes);
  hash::Hasher hasher(hash::Algorithm::kGitBlob, pointer.size());
  hasher.update({reinterpret_cast<const uint8_t*>(pointer.data()), pointer.size()});
  return hasher.finish();
}

}  // namespace toolkit::model_store::hub
