#include "projects/diagnose/check.h"

#include <fmt/format.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/paths.h"
#include "core/files/disk_space.h"
#include "core/model_store/layout.h"
#include "core/model_store/settings.h"
#include "core/monitor/history/history.h"
#include "core/monitor/messages.h"
#include "core/monitor/preferences.h"
#include "core/monitor/sources/source.h"
#include "core/platform/hardware.h"
#include "core/store/database.h"

namespace toolkit::diagnose {

namespace fs = std::filesystem;

namespace {

constexpr uint64_t kLittleSpace = 5'000'000'000;

Finding check_home() {
  const fs::path home = home_folder();
  Finding finding{.what = "folder " + shown_path(home), .found = "there and writable"};
  std::error_code error;
  if (!fs::exists(home, error)) {
    finding.found = "not there yet; the first program that needs it makes it";
  } else if (::access(home.c_str(), W_OK) != 0) {
    finding.is_good = false;
    finding.found = "cannot be written to";
    finding.action = fmt::format("sudo chown -R \"$(id -u)\" {}", shown_path(home));
  }
  return finding;
}

template <class Load>
Finding check_settings(const std::string& what, const Load& load) {
  Finding finding{.what = what, .found = "understood"};
  try {
    load();
  } catch (const Error& error) {
    finding.is_good = false;
    finding.found = error.what();
    finding.action = "correct or remove that line";
  }
  return finding;
}

Finding check_space() {
  Finding finding{.what = "disk space"};
  try {
    const files::DiskSpace space = files::disk_space(home_folder());
    finding.found = files::shown_bytes(space.free_bytes) + " free";
    finding.is_good = space.free_bytes >= kLittleSpace && !space.read_only;
    finding.action = "free some space; `mlx-cache clean` offers models that nobody uses";
  } catch (const Error& error) {
    finding.is_good = false;
    finding.found = error.what();
    finding.action = "see whether the disk is mounted";
  }
  return finding;
}

Finding check_memory() {
  const int64_t total = platform::detect_hardware().memory_bytes;
  const int64_t available = platform::available_memory_bytes();
  Finding finding{
      .what = "memory",
      .found = fmt::format("{} free of {}", files::shown_bytes(static_cast<uint64_t>(available)),
                           files::shown_bytes(static_cast<uint64_t>(total)))};
  finding.is_good = total <= 0 || available > total / 20;
  finding.action = "close programs, or unload models with `ollama stop NAME`";
  return finding;
}

Finding check_ollama(const std::string& url) {
  Finding finding{.what = "Ollama at " + url};
  monitor::Probe probe(url);
  std::string trouble;
  const auto answer = probe.json("/api/version", trouble);
  if (answer && answer->is_object() && answer->contains("version")) {
    finding.found = "answers, version " + (*answer)["version"].dump();
    return finding;
  }
  finding.is_good = false;
  switch (probe.failure()) {
    case monitor::Failure::kAbsent:
      finding.found = "nothing listens there";
      break;
    case monitor::Failure::kSlow:
      finding.found = "takes over two seconds to answer";
      break;
    case monitor::Failure::kStatus:
      finding.found = trouble;
      break;
    default:
      finding.found = "another program answers there";
  }
  finding.action = monitor::is_in_path("ollama")
                       ? "start it with `ollama serve`"
                       : "install it from https://ollama.com/download, if you want to use it";
  return finding;
}

}  // namespace

Finding check_database(const std::string& what, const fs::path& file) {
  Finding finding{.what = what, .found = "sound"};
  std::error_code error;
  if (!fs::exists(file, error)) {
    finding.found = "not there yet";
    return finding;
  }
  try {
    const std::string damage = store::Database::open(file, store::OpenMode::kReadOnly).damage();
    if (damage.empty()) return finding;
    finding.found = damage;
  } catch (const Error& trouble) {
    finding.found = trouble.what();
  }
  finding.is_good = false;
  finding.action = fmt::format("move {} away; it is made anew", shown_path(file));
  return finding;
}

std::vector<Finding> check_all() {
  std::vector<Finding> findings = {
      check_home(), check_settings("settings of mlx-dash", [] { monitor::load_preferences(); }),
      check_settings("settings of mlx-cache", [] { model_store::load_settings(); }),
      check_database("history of mlx-dash", monitor::History::default_file()),
      check_database("runs of mlx-toolkit", home_folder() / "toolkit.db")};
  try {
    Finding registry =
        check_database("registry of mlx-cache", model_store::default_layout().registry());
    if (!registry.is_good) registry.action = "`mlx-cache repair` makes it anew";
    findings.push_back(registry);
  } catch (const Error&) {
    // Its settings are wrong, which is said above.
  }
  findings.push_back(check_space());
  findings.push_back(check_memory());
  try {
    findings.push_back(check_ollama(monitor::load_preferences().ollama_url()));
  } catch (const Error&) {
    findings.push_back(check_ollama(monitor::Preferences().ollama_url()));
  }
  return findings;
}

Json to_json(const std::vector<Finding>& findings) {
  Json list = Json::array();
  for (const Finding& finding : findings)
    list.push_back({{"what", finding.what},
                    {"ok", finding.is_good},
                    {"found", finding.found},
                    {"action", finding.is_good ? "" : finding.action}});
  return list;
}

}  // namespace toolkit::diagnose
