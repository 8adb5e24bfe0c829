#include "core/monitor/messages.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <sstream>

#include "core/files/disk_space.h"

namespace toolkit::monitor {

namespace {

constexpr double kStalledPercent = 20;

Message ollama_is_off(const ServerState& server, bool is_installed) {
  const std::string again = fmt::format("Asked again every {} s.", retry_seconds(server.failures));
  switch (server.failure) {
    case Failure::kStatus:
      return {"error of " + server.url, Severity::kWarning,
              fmt::format("Ollama at {} answers with an error: {}.", server.url, server.trouble),
              "Its log says more. " + again};
    case Failure::kSlow:
      return {"slow " + server.url, Severity::kWarning,
              fmt::format("Ollama at {} takes over two seconds to answer.", server.url),
              "It is busy, paused or stuck; starting it anew helps if that lasts. " + again};
    case Failure::kForeign:
      return {"foreign " + server.url, Severity::kWarning,
              fmt::format("What answers at {} is not Ollama: {}.", server.url, server.trouble),
              "End the program that took its port, or give Ollama's address in the preferences "
              "(ollama_host). " +
                  again};
    default:
      break;
  }
  if (is_installed)
    return {"server " + server.url, Severity::kFault,
            fmt::format("Ollama does not answer at {}.", server.url),
            "Start it with `ollama serve`, or give its address in the preferences. " + again};
  return {"server " + server.url, Severity::kFault,
          fmt::format("Ollama does not answer at {} and is not installed.", server.url),
          "Install it from https://ollama.com/download, then `ollama run llama3.2`."};
}

Message memory_message(const Snapshot& snapshot, const std::vector<LoadedModel>& installed) {
  const auto& memory = snapshot.machine.memory;
  Message message{"memory", Severity::kFault,
                  fmt::format("Memory is about to run out: {} of {} are free.",
                              files::shown_bytes(static_cast<uint64_t>(memory.available_bytes)),
                              files::shown_bytes(static_cast<uint64_t>(memory.total_bytes))),
                  "Close programs that are not needed."};
  const std::vector<LoadedModel> models = snapshot.models();
  const auto largest =
      std::max_element(models.begin(), models.end(), [](const auto& a, const auto& b) {
        return a.size_bytes.value_or(0) < b.size_bytes.value_or(0);
      });
  if (largest == models.end()) return message;
  if (largest->size_bytes)
    message.text += fmt::format(" {} holds {}.", largest->name,
                                files::shown_bytes(static_cast<uint64_t>(*largest->size_bytes)));
  const std::string smaller = smaller_model(*largest, installed);
  message.action = fmt::format("Unload it with `ollama stop {}`", largest->name);
  message.action += smaller.empty()
                        ? " and take a smaller model or a shorter context."
                        : fmt::format(" and take a smaller model, such as {}.", smaller);
  return message;
}

/// Something runs and the server does not tell how fast.
std::optional<Message> speed_message(const Snapshot& snapshot, const Preferences& preferences) {
  const bool untold =
      std::any_of(snapshot.running.begin(), snapshot.running.end(),
                  [](const RunningRequest& request) { return request.way == Way::kHint; });
  if (!untold) return std::nullopt;
  const bool has_proxy =
      std::any_of(snapshot.servers.begin(), snapshot.servers.end(), [](const ServerState& server) {
        return server.reachable && server.kind == ServerKind::kProxy;
      });
  Message message{"speed", Severity::kHint, "This server does not tell its speed.", ""};
  for (const ServerState& server : snapshot.servers)
    if (!server.log_trouble.empty()) message.text += " Its log: " + server.log_trouble + ".";
  if (!has_proxy) message.action = "`mlx-dash proxy` counts tokens: leave it running, and start ";
  message.action +=
      fmt::format("{} with OLLAMA_HOST=127.0.0.1:{}{}.", has_proxy ? "Programs" : "programs",
                  preferences.proxy_port, has_proxy ? " are counted" : "");
  return message;
}

}  // namespace

std::vector<Message> messages_about(const Snapshot& snapshot, const Preferences& preferences,
                                    const std::vector<LoadedModel>& installed,
                                    bool ollama_is_installed) {
  std::vector<Message> messages;
  if (memory_runs_out(snapshot.machine.memory, preferences))
    messages.push_back(memory_message(snapshot, installed));
  // A proxy without what is behind it answers nobody.
  const bool other_server =
      std::any_of(snapshot.servers.begin(), snapshot.servers.end(), [](const ServerState& server) {
        return server.reachable && server.kind != ServerKind::kProxy;
      });
  for (const ServerState& server : snapshot.servers) {
    if (server.reachable || server.failures == 0) continue;
    const bool is_ollama = server.url == preferences.ollama_url();
    // Servers that one may or may not run are no trouble, and nor is Ollama for who uses another.
    if (is_ollama && !other_server)
      messages.push_back(ollama_is_off(server, ollama_is_installed));
    else if (!is_ollama && server.failure == Failure::kForeign)
      messages.push_back({"server " + server.url, Severity::kWarning,
                          server.url + " " + server.trouble + ".",
                          "Take it out of `servers` in the preferences, or correct the address."});
  }
  if (auto message = speed_message(snapshot, preferences)) messages.push_back(*message);
  return messages;
}

bool memory_runs_out(const platform::MemoryReading& memory, const Preferences& preferences) {
  if (memory.total_bytes <= 0) return false;
  const double free_percent =
      100.0 * static_cast<double>(memory.available_bytes) / static_cast<double>(memory.total_bytes);
  return free_percent < preferences.low_memory_percent ||
         memory.stall_percent.value_or(0) > kStalledPercent;
}

std::string smaller_model(const LoadedModel& model, const std::vector<LoadedModel>& installed) {
  const LoadedModel* best = nullptr;
  for (const LoadedModel& other : installed)
    if (other.size_bytes && other.name != model.name &&
        2 * *other.size_bytes <= model.size_bytes.value_or(0) &&
        (!best || *other.size_bytes > *best->size_bytes))
      best = &other;
  return best ? best->name : "";
}

std::string how_to_get_model(const std::string& model, ServerKind kind) {
  if (kind == ServerKind::kOllama)
    return fmt::format("`mlx-cache add ollama://{}` brings it", model);
  return fmt::format("`mlx-cache add hf://{}` brings it; start the server with it then", model);
}

bool is_in_path(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');)
    if (!folder.empty() && ::access((folder + "/" + program).c_str(), X_OK) == 0) return true;
  return false;
}

int retry_seconds(int failures) {
  return std::min(30, 1 << std::clamp(failures - 1, 0, 5));
}

}  // namespace toolkit::monitor
