#include "core/model_store/folders/app_folder.h"

#include <algorithm>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/files/safe_path.h"

namespace toolkit::model_store {

namespace fs = std::filesystem;

namespace {

std::string text_of(const fs::path& path) {
  try {
    return read_file(path, size_t{1} << 20);
  } catch (const Error&) {
    return "";  // only for a nicer name
  }
}

/// CFBundleName of a property list as XML. The binary form keeps the folder's name.
std::string bundle_name(const std::string& plist) {
  const size_t key = plist.find("<key>CFBundleName</key>");
  const size_t open = key == plist.npos ? key : plist.find("<string>", key);
  const size_t close = open == plist.npos ? open : plist.find("</string>", open);
  if (close == plist.npos) return "";
  const size_t begin = open + 8;
  return plist.substr(begin, close - begin);
}

/// `name = "..."` of the section [project] or [tool.poetry].
std::string project_name(const std::string& toml) {
  bool in_project = false;
  for (size_t begin = 0; begin < toml.size();) {
    const size_t end = std::min(toml.find('\n', begin), toml.size());
    const std::string line = toml.substr(begin, end - begin);
    begin = end + 1;
    if (line.starts_with('['))
      in_project = line.starts_with("[project]") || line.starts_with("[tool.poetry]");
    if (!in_project || !line.starts_with("name")) continue;
    const size_t open = line.find_first_of("\"'");
    const size_t close = open == line.npos ? open : line.find(line[open], open + 1);
    if (close != line.npos) return line.substr(open + 1, close - open - 1);
  }
  return "";
}

}  // namespace

AppFolder describe_app(const fs::path& path) {
  std::error_code error;
  AppFolder app;
  app.path = fs::canonical(path, error);
  if (error)
    fail(ErrorKind::kNotFound, "{}: {}; give the folder of the app", files::escaped(path.string()),
         error.message());
  if (!fs::is_directory(app.path))
    fail(ErrorKind::kUserInput, "{}: expected the folder of an app (or its .app), found a file",
         files::escaped(app.path.string()));
  app.models = app.path;
  const bool is_bundle = app.path.extension() == ".app";
  if (is_bundle) {
    app.name = bundle_name(text_of(app.path / "Contents" / "Info.plist"));
    if (fs::is_directory(app.path / "Contents" / "Resources", error))
      app.models = app.path / "Contents" / "Resources";
  } else {
    app.name = project_name(text_of(app.path / "pyproject.toml"));
  }
  if (app.name.empty() || app.name.size() > 200)
    app.name = (is_bundle ? app.path.stem() : app.path.filename()).string();
  if (app.name.empty()) app.name = app.path.string();
  app.name = files::escaped(app.name);
  return app;
}

}  // namespace toolkit::model_store
