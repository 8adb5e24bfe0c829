#include "core/model_store/settings.h"

#include <algorithm>
#include <map>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/nearest.h"
#include "core/base/paths.h"
#include "core/base/settings_file.h"
#include "core/model_store/layout.h"

namespace toolkit::model_store {

namespace fs = std::filesystem;

namespace {

constexpr const char* kSection = "mlxcache";
constexpr const char* kCacheDir = "cache-dir";
constexpr size_t kFileBytes = 1 << 20;

fs::path suite_file() {
  return home_folder() / "config.yaml";
}

std::string text_of(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error) ? read_file(path, kFileBytes) : "";
}

Fields only(const Fields& fields, bool cache_dir) {
  Fields kept;
  for (const Field& field : fields)
    if ((field.name == kCacheDir) == cache_dir) kept.push_back(field);
  return kept;
}

/// Names the keys of our own file that belong elsewhere before "unknown setting" would be said.
Fields fields_of_store_file(Settings& settings, std::string& misplaced) {
  Fields fields = only(describe(settings), false);
  fields.push_back({.name = kCacheDir, .target = &misplaced, .help = ""});
  return fields;
}

std::vector<std::string> read_store_file(const fs::path& path, const std::string& text,
                                         Settings& settings) {
  std::string misplaced;
  const std::vector<std::string> set =
      read_yaml_text(text, shown_path(path), "", fields_of_store_file(settings, misplaced));
  if (!misplaced.empty())
    fail(ErrorKind::kUserInput,
         "{}: cache_dir cannot stand in the folder it names; move it to section {} of {}",
         shown_path(path), kSection, shown_path(suite_file()));
  return set;
}

/// All settings, and for each field the file that decided it.
Settings load(std::map<std::string, std::string>& origins) {
  Settings settings;
  const Fields fields = describe(settings);
  for (const std::string& name :
       read_yaml_text(text_of(suite_file()), shown_path(suite_file()), kSection, fields))
    origins[name] = shown_path(suite_file());
  const fs::path own = default_layout().settings();
  for (const std::string& name : read_store_file(own, text_of(own), settings))
    origins[name] = shown_path(own);
  check_fields(fields);
  return settings;
}

std::string key_of(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

const Field& find_field(const Fields& fields, const std::string& key) {
  std::vector<std::string> known;
  for (const Field& field : fields) {
    if (key_of(field.name) == key_of(key)) return field;
    known.push_back(key_of(field.name));
  }
  fail(ErrorKind::kUserInput, "unknown setting '{}'.{} `mlx-cache config` lists them", key,
       did_you_mean(key, known));
}

}  // namespace

Fields describe(Settings& settings) {
  return {{.name = kCacheDir,
           .target = &settings.cache_dir,
           .help = "where the models lie",
           .required = true},
          {.name = "max-cache-size-gb",
           .target = &settings.max_cache_size_gb,
           .help = "size in GB that `clean` and auto_clean bring it back to, as far as models "
                   "are unused (0: no limit)",
           .minimum = 0},
          {.name = "auto-clean",
           .target = &settings.auto_clean,
           .help = "`add` removes the longest unused models when the size is passed"},
          {.name = "clean-after-days",
           .target = &settings.clean_after_days,
           .help = "days without use after which `clean` offers a model that no app is linked to",
           .minimum = 0},
          {.name = "ollama-sync",
           .target = &settings.ollama_sync,
           .help = "`sync` looks into Ollama's store"},
          {.name = "huggingface-sync",
           .target = &settings.huggingface_sync,
           .help = "`sync` looks into the Hugging Face cache"},
          {.name = "lm-studio-sync",
           .target = &settings.lm_studio_sync,
           .help = "`sync` looks into LM Studio's models"},
          {.name = "link",
           .target = &settings.link,
           .help = "how equal files share their space",
           .choices = {"auto", "hard_link", "clone"}},
          {.name = "folders",
           .target = &settings.folders,
           .help = "further folders that `sync` looks into"}};
}

Settings load_settings() {
  std::map<std::string, std::string> origins;
  return load(origins);
}

std::string configured_cache_dir() {
  Settings settings;
  const Fields fields = describe(settings);
  read_yaml_text(text_of(suite_file()), shown_path(suite_file()), kSection, fields);
  check_fields(only(fields, true));
  return settings.cache_dir;
}

std::vector<std::pair<std::string, std::string>> setting_origins() {
  std::map<std::string, std::string> origins;
  Settings settings = load(origins);
  std::vector<std::pair<std::string, std::string>> list;
  for (const Field& field : describe(settings)) {
    const auto found = origins.find(field.name);
    list.emplace_back(key_of(field.name), found == origins.end() ? "default" : found->second);
  }
  return list;
}

void save_setting(const std::string& key, const std::vector<std::string>& values) {
  Settings wanted;
  const Fields fields = describe(wanted);
  const Field& field = find_field(fields, key);
  set_field(field, values, key_of(field.name));
  check_fields({field});
  const bool suite = field.name == kCacheDir;
  const fs::path path = suite ? suite_file() : default_layout().settings();
  const std::string section = suite ? kSection : "";
  const std::string after = edited_yaml(text_of(path), section, field);
  // Read back: a file that was written in some unusual way is better left alone.
  Settings read;
  const Fields read_fields = describe(read);
  std::string complaint;
  try {
    read_yaml_text(after, shown_path(path), section, read_fields);
  } catch (const Error& error) {
    complaint = error.what();
  }
  if (!complaint.empty() ||
      fields_to_json({find_field(read_fields, key)}) != fields_to_json({field}))
    fail(ErrorKind::kUserInput, "{}: cannot be changed in place; write `{}` there yourself{}",
         shown_path(path), key_of(field.name), complaint.empty() ? "" : " (" + complaint + ")");
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  write_file_atomically(path, after);
}

}  // namespace toolkit::model_store
