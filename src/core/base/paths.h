#pragma once

#include <filesystem>
#include <string>

namespace toolkit {

/// Where the toolkit keeps its state: `~/.mlx-infrastructure`, or MLX_INFRASTRUCTURE_HOME. Not
/// created.
std::filesystem::path home_folder();

/// "/home/ann/models/x" as "~/models/x": how messages show a path.
std::string shown_path(const std::filesystem::path& path);

/// A leading "~/" replaced by the user's home folder.
std::filesystem::path expanded_path(const std::filesystem::path& path);

}  // namespace toolkit
