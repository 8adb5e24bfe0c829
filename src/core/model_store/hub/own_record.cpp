#include "core/model_store/hub/own_record.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/files/safe_path.h"
#include "core/hash/digest.h"
#include "core/model_store/hub/repo_folder.h"

namespace toolkit::model_store::hub {

namespace {

constexpr size_t kLargestRecordBytes = 64 << 20;
constexpr int kVersion = 1;

std::string record_path(const std::string& commit) {
  return std::string(kOwnRecordsFolder) + "/" + commit + ".json";
}

// Closed with its scope; a second close would end another thread's file.
struct Descriptor {
  int value;
  ~Descriptor() { ::close(value); }
};

bool add_names(const Json& list, std::set<std::string>& names, bool blobs) {
  if (!list.is_array()) return false;
  for (const Json& name : list) {
    if (!name.is_string()) return false;
    const std::string text = name.get<std::string>();
    if (blobs ? !hash::parse_digest(text) : !files::why_unsafe_path(text).empty()) return false;
    names.insert(text);
  }
  return true;
}

std::optional<OwnRecord> parse_record(const std::string& text, const std::string& source) {
  Json json;
  try {
    json = parse_json(text, source, 8);
  } catch (const Error&) {
    return std::nullopt;
  }
  OwnRecord record;
  if (!json.is_object() || json.value("version", Json()) != kVersion) return std::nullopt;
  if (!add_names(json.value("blobs", Json()), record.blobs, true) ||
      !add_names(json.value("files", Json()), record.files, false))
    return std::nullopt;
  const Json refs = json.value("refs", Json());
  if (!refs.is_object()) return std::nullopt;
  for (const auto& [name, before] : refs.items()) {
    if (!before.is_string() || !files::why_unsafe_path(name).empty()) return std::nullopt;
    const std::string commit = before.get<std::string>();
    if (!commit.empty() && !is_commit(commit)) return std::nullopt;
    record.refs[name] = commit;
  }
  record.tree = json.value("tree", Json()) == true;
  return record;
}

}  // namespace

std::optional<std::string> read_small_file(const files::Folder& folder, const std::string& path,
                                           size_t limit_bytes) {
  const auto found = folder.find(path);
  if (!found || found->kind != files::FileKind::kFile || found->size_bytes > limit_bytes)
    return std::nullopt;
  const Descriptor file{folder.open_file(path)};
  std::string content(found->size_bytes, '\0');
  size_t done = 0;
  while (done < content.size()) {
    const ssize_t count = ::read(file.value, content.data() + done, content.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    done += static_cast<size_t>(count);
  }
  content.resize(done);
  return content;
}

std::string temporary_in_blobs(const std::string& stem) {
  const std::string name = files::temporary_name();
  return "blobs/" + stem + "." + name.substr(name.size() - 8) + ".incomplete";
}

void write_in_repo(const files::Folder& repo, const std::string& path, const std::string& content) {
  const std::string temporary = temporary_in_blobs("file");
  try {
    {
      const Descriptor file{repo.create_file(temporary)};
      for (size_t done = 0; done < content.size();) {
        const ssize_t count = ::write(file.value, content.data() + done, content.size() - done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0)
          fail(ErrorKind::kIo, "{}: {}", (repo.path() / temporary).string(), std::strerror(errno));
        done += static_cast<size_t>(count);
      }
      ::fchmod(file.value, 0644);
      files::sync_file(file.value, repo.path() / temporary);
    }
    if (const size_t slash = path.rfind('/'); slash != std::string::npos)
      repo.subfolder(path.substr(0, slash), true);
    repo.rename(temporary, path);
  } catch (...) {
    repo.remove_file(temporary);
    throw;
  }
}

std::optional<OwnRecord> read_record(const files::Folder& repo, const std::string& commit) {
  const auto text = read_small_file(repo, record_path(commit), kLargestRecordBytes);
  return text ? parse_record(*text, record_path(commit)) : std::nullopt;
}

void write_record(const files::Folder& repo, const std::string& commit, const OwnRecord& record) {
  const Json json = {{"version", kVersion},
                     {"blobs", record.blobs},
                     {"files", record.files},
                     {"refs", record.refs},
                     {"tree", record.tree}};
  write_in_repo(repo, record_path(commit), json.dump(1) + "\n");
}

void remove_record(const files::Folder& repo, const std::string& commit) {
  repo.remove_file(record_path(commit));
}

}  // namespace toolkit::model_store::hub
