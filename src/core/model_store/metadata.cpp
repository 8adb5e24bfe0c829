#include "core/model_store/metadata.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/files/safe_path.h"
#include "core/hash/hasher.h"
#include "core/model_store/utc_time.h"

namespace toolkit::model_store {

namespace fs = std::filesystem;

namespace {

constexpr int kVersion = 1;
constexpr size_t kFileBytes = 64 << 20;
constexpr size_t kFiles = 1'000'000;
constexpr size_t kTextBytes = 2048;

std::string digest_text(const hash::Digest& digest) {
  return (digest.algorithm == hash::Algorithm::kSha256 ? "sha256:" : "") + digest.hex;
}

/// One object of the file, with where it stands for messages.
class Reader {
 public:
  Reader(const Json& value, std::string where, const std::set<std::string>& known)
      : value_(value), where_(std::move(where)) {
    if (!value.is_object()) fail(ErrorKind::kUserInput, "{}: expected an object", where_);
    for (const auto& [key, unused] : value.items())
      if (!known.contains(key))
        fail(ErrorKind::kUserInput, "{}: unknown key '{}'", where_, files::escaped(key));
  }

  const Json& member(const char* key) const {
    const auto found = value_.find(key);
    if (found == value_.end()) fail(ErrorKind::kUserInput, "{}: '{}' is missing", where_, key);
    return *found;
  }
  std::string text(const char* key) const {
    const Json& found = member(key);
    if (!found.is_string() || found.get_ref<const std::string&>().size() > kTextBytes)
      fail(ErrorKind::kUserInput, "{}: '{}': expected a text of at most {} bytes", where_, key,
           kTextBytes);
    const std::string text = found.get<std::string>();
    if (files::escaped(text) != text)
      fail(ErrorKind::kUserInput, "{}: '{}': found control characters", where_, key);
    return text;
  }
  uint64_t size(const char* key) const {
    const Json& found = member(key);
    if (!found.is_number_unsigned() ||
        found.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
      fail(ErrorKind::kUserInput, "{}: '{}': expected a number of bytes", where_, key);
    return found.get<uint64_t>();
  }
  hash::Digest digest(const char* key) const {
    const std::string found = text(key);
    const auto digest = hash::parse_digest(found);
    if (!digest)
      fail(ErrorKind::kUserInput, "{}: '{}': expected a digest, found '{}'", where_, key, found);
    return *digest;
  }
  const std::string& where() const { return where_; }

 private:
  const Json& value_;
  std::string where_;
};

ModelName read_name(const Reader& reader) {
  const std::string uri = reader.text("model");
  const ModelName name = parse_model_name(uri);
  if (name.uri() != uri)
    fail(ErrorKind::kUserInput, "{}: 'model': expected '{}', found '{}'", reader.where(),
         name.uri(), uri);
  return name;
}

FileRecord read_file_record(const Json& value, const std::string& where) {
  const Reader reader(value, where, {"name", "size", "digest", "sha256"});
  FileRecord record;
  record.name = reader.text("name");
  files::check_relative_path(record.name, where);
  record.size_bytes = reader.size("size");
  record.digest = reader.digest("digest");
  const hash::Digest sha256 = reader.digest("sha256");
  if (sha256.algorithm != hash::Algorithm::kSha256)
    fail(ErrorKind::kUserInput, "{}: 'sha256': expected 64 hexadecimal digits", where);
  record.sha256 = sha256.hex;
  if (record.digest.algorithm == hash::Algorithm::kSha256 && record.digest.hex != record.sha256)
    fail(ErrorKind::kUserInput, "{}: 'digest' and 'sha256' contradict each other", where);
  return record;
}

/// No two files with one name, also where letters are folded, and none that is the folder of
/// another.
void check_names(const std::vector<FileRecord>& records, const std::string& source) {
  std::map<std::string, const FileRecord*> seen;
  for (const FileRecord& record : records)
    if (!seen.emplace(files::folded_path(record.name), &record).second)
      fail(ErrorKind::kUserInput, "{}: two files are called '{}' (letters folded)", source,
           record.name);
  for (const auto& [folded, record] : seen)
    for (size_t slash = folded.find('/'); slash != folded.npos; slash = folded.find('/', slash + 1))
      if (seen.contains(folded.substr(0, slash)))
        fail(ErrorKind::kUserInput, "{}: '{}' would lie in a file", source, record->name);
}

void check_total(const Metadata& metadata, const std::string& source) {
  uint64_t total = 0;
  for (const FileRecord& record : metadata.files) {
    if (record.size_bytes > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) - total)
      fail(ErrorKind::kUserInput, "{}: the sizes of the files do not fit", source);
    total += record.size_bytes;
  }
}

}  // namespace

uint64_t Metadata::size_bytes() const {
  uint64_t total = 0;
  for (const FileRecord& record : files) total += record.size_bytes;
  return total;
}

std::string Metadata::checksum() const {
  std::vector<std::string> lines;
  for (const FileRecord& record : files) lines.push_back(record.sha256 + "  " + record.name + "\n");
  std::sort(lines.begin(), lines.end());
  hash::Hasher hasher(hash::Algorithm::kSha256);
  for (const std::string& line : lines)
    hasher.update({reinterpret_cast<const uint8_t*>(line.data()), line.size()});
  return hasher.finish().hex;
}

std::string to_json_text(const Metadata& metadata) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const FileRecord& record : metadata.files)
    list.push_back({{"name", record.name},
                    {"size", record.size_bytes},
                    {"digest", digest_text(record.digest)},
                    {"sha256", record.sha256}});
  const nlohmann::ordered_json value{
      {"metadata", kVersion},          {"model", metadata.name.uri()},
      {"revision", metadata.revision}, {"downloaded_at", metadata.downloaded_at},
      {"endpoint", metadata.endpoint}, {"partial", metadata.partial},
      {"files", std::move(list)}};
  return value.dump(1) + "\n";
}

Metadata parse_metadata(const std::string& text, const std::string& source) {
  const Json value = parse_json(text, source, /*max_depth=*/8);
  const Reader reader(
      value, source,
      {"metadata", "model", "revision", "downloaded_at", "endpoint", "partial", "files"});
  if (reader.member("metadata") != kVersion)
    fail(ErrorKind::kUserInput, "{}: expected version {} of this file, found {}", source, kVersion,
         reader.member("metadata").dump());
  Metadata metadata;
  metadata.name = read_name(reader);
  metadata.revision = reader.text("revision");
  metadata.downloaded_at = reader.text("downloaded_at");
  if (!metadata.downloaded_at.empty() && !parse_utc(metadata.downloaded_at))
    fail(ErrorKind::kUserInput, "{}: 'downloaded_at': expected a time like {}, found '{}'", source,
         utc_text(0), metadata.downloaded_at);
  metadata.endpoint = reader.text("endpoint");
  if (!reader.member("partial").is_boolean())
    fail(ErrorKind::kUserInput, "{}: 'partial': expected true or false", source);
  metadata.partial = reader.member("partial").get<bool>();
  const Json& list = reader.member("files");
  if (!list.is_array() || list.size() > kFiles)
    fail(ErrorKind::kUserInput, "{}: 'files': expected a list of at most {}", source, kFiles);
  for (size_t at = 0; at < list.size(); ++at)
    metadata.files.push_back(
        read_file_record(list[at], fmt::format("{}: file {}", source, at + 1)));
  check_names(metadata.files, source);
  check_total(metadata, source);
  return metadata;
}

fs::path metadata_path(const fs::path& model_folder) {
  std::error_code error;
  if (fs::is_symlink(fs::symlink_status(model_folder, error)))
    return model_folder.parent_path() /
           ("." + model_folder.filename().string() + std::string(kMetadataFile));
  return model_folder / kMetadataFile;
}

std::optional<Metadata> read_metadata(const fs::path& model_folder) {
  const fs::path path = metadata_path(model_folder);
  std::error_code error;
  if (!fs::exists(fs::symlink_status(path, error))) return std::nullopt;
  return parse_metadata(read_file(path, kFileBytes), path.string());
}

void write_metadata(const fs::path& model_folder, const Metadata& metadata) {
  const std::string text = to_json_text(metadata);
  const fs::path path = metadata_path(model_folder);
  parse_metadata(text, path.string());  // what we could not read again is never written
  write_file_atomically(path, text);
}

}  // namespace toolkit::model_store
