#include "core/model_store/hub/repo_folder.h"

#include <algorithm>

#include "core/files/safe_path.h"

namespace toolkit::model_store::hub {

namespace fs = std::filesystem;

std::string repo_folder_name(std::string_view repository) {
  std::string name(kModelFolderPrefix);
  for (const char c : repository) {
    if (c == '/') {
      name += "--";
    } else {
      name += c;
    }
  }
  return name;
}

std::optional<std::string> repository_of_folder(std::string_view folder_name) {
  if (!folder_name.starts_with(kModelFolderPrefix)) return std::nullopt;
  folder_name.remove_prefix(kModelFolderPrefix.size());
  if (folder_name.empty()) return std::nullopt;
  const size_t separator = folder_name.find("--");
  if (separator == std::string_view::npos) return std::string(folder_name);
  const std::string_view owner = folder_name.substr(0, separator);
  const std::string_view name = folder_name.substr(separator + 2);
  if (owner.empty() || name.empty() || name.find("--") != std::string_view::npos)
    return std::nullopt;
  return std::string(owner) + "/" + std::string(name);
}

bool is_commit(std::string_view text) {
  return text.size() == 40 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string blob_link_target(std::string_view file, std::string_view etag) {
  std::string target = "../../";
  for (const char c : file)
    if (c == '/') target += "../";
  return target + "blobs/" + std::string(etag);
}

std::optional<fs::path> blob_of_link(const fs::path& repo_folder, const fs::path& link) {
  std::error_code trouble;
  const fs::path target = fs::read_symlink(link, trouble);
  if (trouble) return std::nullopt;
  const fs::path blob = (link.parent_path() / target).lexically_normal();
  if (blob.parent_path() != (repo_folder / "blobs").lexically_normal()) return std::nullopt;
  return blob;
}

void check_revision(std::string_view revision) {
  files::check_relative_path(revision, "revision");
}

}  // namespace toolkit::model_store::hub
