#include "core/monitor/sources/runners.h"

#include <charconv>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/model_store/ollama/manifest.h"
#include "core/model_store/ollama/store_folder.h"

namespace toolkit::monitor {

namespace {

constexpr size_t kManifestBytes = 4 << 20;

std::string last_part(const std::string& path) {
  return path.substr(path.find_last_of('/') + 1);
}

}  // namespace

Runner runner_of(const std::vector<std::string>& words) {
  Runner runner;
  if (words.empty()) return runner;
  const std::string program = last_part(words[0]);
  const bool is_server = program == "llama-server";
  const bool is_runner = program == "ollama" && words.size() > 1 && words[1] == "runner";
  if (!is_server && !is_runner) return runner;
  for (size_t at = 1; at + 1 < words.size(); ++at) {
    if (words[at] == "--model" || words[at] == "-m") runner.model = words[at + 1];
    if (words[at] != "--port") continue;
    const std::string& text = words[at + 1];
    std::from_chars(text.data(), text.data() + text.size(), runner.port);
    if (runner.port < 1 || runner.port > 65535) runner.port = 0;
  }
  // A llama-server that somebody started by hand with a file of their own is not Ollama's.
  if (is_server && last_part(runner.model).find("sha256-") != 0) runner.port = 0;
  return runner;
}

std::string model_of_blob(const std::filesystem::path& ollama_models, const std::string& blob,
                          const std::vector<std::string>& names) {
  namespace ollama = model_store::ollama;
  const std::string wanted = last_part(blob);
  for (const std::string& name : names) {
    try {
      const auto parsed = model_store::parse_ollama_name(name);
      const auto path = ollama::manifest_path(ollama_models, parsed);
      const ollama::Manifest manifest =
          ollama::parse_manifest(read_file(path, kManifestBytes), path.string());
      if (manifest.model() &&
          last_part(ollama::blob_path(ollama_models, manifest.model()->digest).string()) == wanted)
        return name;
    } catch (const Error&) {
      continue;  // another user's store, or one that is just being written
    }
  }
  return "";
}

}  // namespace toolkit::monitor
