#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace toolkit::model_store::hub {

/// Names inside the cache of huggingface_hub (docs: huggingface.co/docs/huggingface_hub, "Manage
/// your cache"): models--org--name/{blobs,refs,snapshots,trees}.
inline constexpr std::string_view kModelFolderPrefix = "models--";
inline constexpr const char* kSharedBlobsFolder = "blobs";
inline constexpr const char* kSharedBlobsMarker = ".huggingface-shared-blobs";
/// What we did inside a repository's folder: hidden, ignored by huggingface_hub's scanner.
inline constexpr const char* kOwnRecordsFolder = ".mlx-cache";

/// "org/name" as "models--org--name".
std::string repo_folder_name(std::string_view repository);

/// The way back; empty for datasets--, spaces-- and what is no repository. A first "--" separates
/// (names on the hub hold none).
std::optional<std::string> repository_of_folder(std::string_view folder_name);

/// 40 lower-case hexadecimal digits.
bool is_commit(std::string_view text);

/// Where the symlink snapshots/<commit>/<file> leads: "../../blobs/<etag>", one more "../" for each
/// folder in `file`.
std::string blob_link_target(std::string_view file, std::string_view etag);

/// The blob that a snapshot's symlink names by its first step (a blob may itself be a symlink into
/// the shared store), if it lies directly in that repository's blobs/; else empty.
std::optional<std::filesystem::path> blob_of_link(const std::filesystem::path& repo_folder,
                                                  const std::filesystem::path& link);

/// A branch, tag or refs/pr/1 that may become a path below refs/; else Error(kUserInput).
void check_revision(std::string_view revision);

}  // namespace toolkit::model_store::hub
