#include <algorithm>
#include <array>
#include <cstdlib>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/paths.h"
#include "core/model_store/settings.h"

namespace toolkit::model_store {

namespace fs = std::filesystem;

namespace {

std::string trimmed(std::string text, const char* letters) {
  text.erase(0, text.find_first_not_of(letters));
  text.erase(text.find_last_not_of(letters) + 1);
  return text;
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? trimmed(value, " \t\r\n") : "";
}

fs::path folder_of(const char* name) {
  const std::string value = variable(name);
  return value.empty() ? fs::path() : expanded_path(value);
}

fs::path hub_home() {
  if (const fs::path home = folder_of("HF_HOME"); !home.empty()) return home;
  const fs::path cache = folder_of("XDG_CACHE_HOME");
  return (cache.empty() ? expanded_path("~/.cache") : cache) / "huggingface";
}

fs::path hub_cache() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"})
    if (const fs::path given = folder_of(name); !given.empty()) return given;
  return hub_home() / "hub";
}

/// As huggingface_hub understands a switch.
bool is_on(const char* name) {
  std::string value = variable(name);
  std::transform(value.begin(), value.end(), value.begin(),
                 [](unsigned char letter) { return std::toupper(letter); });
  return value == "1" || value == "ON" || value == "YES" || value == "TRUE";
}

bool is_port(const std::string& text) {
  return !text.empty() && text.size() <= 5 &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); }) &&
         std::stoi(text) <= 65535;
}

/// Ollama's envconfig.Host: scheme, host and port have defaults; a server bound to every address
/// is reached over loopback.
std::string ollama_host(std::string value) {
  value = trimmed(value, " \t\r\n\"'");
  std::string scheme = "http", port = "11434";
  if (const size_t at = value.find("://"); at != std::string::npos) {
    scheme = value.substr(0, at);
    value = value.substr(at + 3);
    port = scheme == "https" ? "443" : "80";
  }
  value = value.substr(0, value.find('/'));
  std::string host = value;
  const size_t colon = value.rfind(':');
  const bool address_in_brackets = value.starts_with('[');
  const bool bare_ipv6 = !address_in_brackets && std::count(value.begin(), value.end(), ':') > 1;
  if (colon != std::string::npos && !bare_ipv6 &&
      (!address_in_brackets || value[colon - 1] == ']')) {
    host = value.substr(0, colon);
    if (is_port(value.substr(colon + 1))) port = value.substr(colon + 1);
  }
  host = trimmed(host, "[]");
  if (host.empty() || host == "0.0.0.0") host = "127.0.0.1";
  if (host == "::") host = "::1";
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return scheme + "://" + host + ":" + port;
}

fs::path lm_studio_home() {
  const fs::path pointer = expanded_path("~/.lmstudio-home-pointer");
  std::error_code error;
  if (fs::is_regular_file(pointer, error)) try {
      const std::string path = trimmed(read_file(pointer, 4096), " \t\r\n");
      if (!path.empty()) return expanded_path(path);
    } catch (const Error&) {
      // Unreadable: as if it were not there.
    }
  const fs::path old = expanded_path("~/.cache/lm-studio");
  return fs::is_directory(old, error) ? old : expanded_path("~/.lmstudio");
}

}  // namespace

Environment read_environment() {
  Environment environment;
  environment.hub_cache = hub_cache();
  environment.hub_endpoint = variable("HF_ENDPOINT");
  while (environment.hub_endpoint.ends_with('/')) environment.hub_endpoint.pop_back();
  if (environment.hub_endpoint.empty()) environment.hub_endpoint = "https://huggingface.co";
  environment.hub_offline = is_on("HF_HUB_OFFLINE") || is_on("TRANSFORMERS_OFFLINE");
  environment.hub_token_file = folder_of("HF_TOKEN_PATH");
  if (environment.hub_token_file.empty()) environment.hub_token_file = hub_home() / "token";
  environment.ollama_models = trimmed(variable("OLLAMA_MODELS"), " \"'");
  environment.ollama_models = environment.ollama_models.empty()
                                  ? expanded_path("~/.ollama/models")
                                  : expanded_path(environment.ollama_models);
  environment.ollama_host = ollama_host(variable("OLLAMA_HOST"));
  environment.lm_studio_home = lm_studio_home();
  return environment;
}

}  // namespace toolkit::model_store
