#include "core/model_store/settings.h"

#include <map>

#include "core/base/error.h"
#include "core/base/paths.h"
#include "core/base/settings_file.h"
#include "core/model_store/layout.h"

namespace toolkit::model_store {

namespace fs = std::filesystem;

namespace {

constexpr const char* kSection = "mlxcache";
constexpr const char* kCacheDir = "cache-dir";

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
         shown_path(path), kSection, shown_path(suite_settings_file()));
  return set;
}

/// All settings, and for each field the file that decided it.
Settings load(std::map<std::string, std::string>& origins) {
  Settings settings;
  const Fields fields = describe(settings);
  for (const std::string& name :
       read_yaml_text(settings_text(suite_settings_file()), shown_path(suite_settings_file()),
                      kSection, fields))
    origins[name] = shown_path(suite_settings_file());
  const fs::path own = default_layout().settings();
  for (const std::string& name : read_store_file(own, settings_text(own), settings))
    origins[name] = shown_path(own);
  check_fields(fields);
  return settings;
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
  read_yaml_text(settings_text(suite_settings_file()), shown_path(suite_settings_file()), kSection,
                 fields);
  check_fields(only(fields, true));
  return settings.cache_dir;
}

std::vector<std::pair<std::string, std::string>> setting_origins() {
  std::map<std::string, std::string> origins;
  Settings settings = load(origins);
  std::vector<std::pair<std::string, std::string>> list;
  for (const Field& field : describe(settings)) {
    const auto found = origins.find(field.name);
    list.emplace_back(setting_key(field.name), found == origins.end() ? "default" : found->second);
  }
  return list;
}

void save_setting(const std::string& key, const std::vector<std::string>& values) {
  Settings wanted;
  const Fields fields = describe(wanted);
  const Field& field = find_setting(fields, key, "mlx-cache config");
  set_field(field, values, setting_key(field.name));
  check_fields({field});
  const bool suite = field.name == kCacheDir;
  Settings read;
  write_setting(suite ? suite_settings_file() : default_layout().settings(), suite ? kSection : "",
                field, describe(read));
}

}  // namespace toolkit::model_store
