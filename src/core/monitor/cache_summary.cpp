#include "core/monitor/cache_summary.h"

#include <fmt/format.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/subprocess.h"
#include "core/files/disk_space.h"
#include "core/monitor/messages.h"
#include "core/monitor/sources/ollama_answers.h"
#include "core/platform/process.h"

namespace toolkit::monitor {

namespace {

std::string cache_program() {
  const std::filesystem::path beside =
      std::filesystem::path(platform::own_program()).parent_path() / "mlx-cache";
  if (::access(beside.c_str(), X_OK) == 0) return beside.string();
  return is_in_path("mlx-cache") ? "mlx-cache" : "";
}

}  // namespace

CacheSummary read_cache_summary() {
  CacheSummary summary;
  const std::string program = cache_program();
  summary.is_installed = !program.empty();
  if (!summary.is_installed) return summary;
  try {
    const Json status = run_for_json({program, "status", "--json"}, "/dev/null");
    const auto models = status.find("models");
    if (models != status.end() && models->is_array())
      summary.models = static_cast<int64_t>(models->size());
    summary.kept_bytes = number_of(status, "kept_bytes").value_or(0);
    summary.saved_bytes =
        number_of(run_for_json({program, "stats", "--json"}, "/dev/null"), "saved_bytes");
  } catch (const Error& error) {
    summary.trouble = error.what();
  }
  return summary;
}

std::string shown(const CacheSummary& summary) {
  if (!summary.is_installed) return "mlx-cache is not installed";
  if (!summary.trouble.empty()) return "mlx-cache does not answer";
  if (summary.models == 0) return "no models in it yet";
  std::string text =
      fmt::format("{} {}, {}", summary.models, summary.models == 1 ? "model" : "models",
                  files::shown_bytes(static_cast<uint64_t>(summary.kept_bytes)));
  if (summary.saved_bytes)
    text +=
        fmt::format(", saves {}", files::shown_bytes(static_cast<uint64_t>(*summary.saved_bytes)));
  return text;
}

}  // namespace toolkit::monitor
