#pragma once

#include <filesystem>
#include <string>

namespace toolkit::model_store {

/// What `link <app-path>` learns of an app.
struct AppFolder {
  std::filesystem::path path;  // absolute, without links
  std::string name;            // CFBundleName of an .app, name of pyproject.toml, else the folder's
  std::filesystem::path models;  // where its weights lie: itself, or a bundle's Resources
};

/// Throws Error(kNotFound | kUserInput).
AppFolder describe_app(const std::filesystem::path& path);

}  // namespace toolkit::model_store
