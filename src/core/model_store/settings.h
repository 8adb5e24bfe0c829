#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "core/base/fields.h"

namespace toolkit::model_store {

/// `~/.mlx-cache/config.yaml`, over section mlxcache of `~/.mlx-infrastructure/config.yaml`, over
/// these.
struct Settings {
  std::string cache_dir = "~/.mlx-cache";  // only in ~/.mlx-infrastructure/config.yaml
  double max_cache_size_gb = 100;          // decimal; 0: no limit
  bool auto_clean = true;     // `add` removes the longest unused when the limit is passed
  int clean_after_days = 30;  // what nobody uses for that long is offered by `clean`
  bool ollama_sync = true;    // `sync` looks into Ollama's store
  bool huggingface_sync = true, lm_studio_sync = true;
  std::string link = "auto";         // auto | hard_link | clone: how duplicates are shared
  std::vector<std::string> folders;  // further folders that `sync` looks into
};

Fields describe(Settings& settings);

/// Throws Error(kUserInput) with file and line for an unknown key or a wrong value.
Settings load_settings();
/// cache_dir of the suite's file or the default, "~/" not expanded: default_layout() needs it
/// first.
std::string configured_cache_dir();
/// Where each value comes from: "default", or the file; for `config`.
std::vector<std::pair<std::string, std::string>> setting_origins();
/// Writes one key to config.yaml (cache_dir: to the suite's file), keeping what else stands there,
/// comments included. Throws Error(kUserInput) for a value it may not have, or when the file is
/// written so that it cannot be changed in place; nothing is written then.
void save_setting(const std::string& key, const std::vector<std::string>& values);

/// The environment that other programs read, looked up once here and nowhere else.
struct Environment {
  std::filesystem::path
      hub_cache;             // HF_HUB_CACHE > HUGGINGFACE_HUB_CACHE > HF_HOME/hub > XDG > ~/.cache
  std::string hub_endpoint;  // HF_ENDPOINT or https://huggingface.co
  bool hub_offline = false;  // HF_HUB_OFFLINE
  std::filesystem::path hub_token_file;  // HF_TOKEN_PATH or HF_HOME/token
  std::filesystem::path ollama_models;   // OLLAMA_MODELS (quotes trimmed) or ~/.ollama/models
  std::string ollama_host;               // URL; 0.0.0.0 and :: become loopback
  std::filesystem::path
      lm_studio_home;  // ~/.lmstudio-home-pointer > ~/.cache/lm-studio > ~/.lmstudio
};
Environment read_environment();

}  // namespace toolkit::model_store
