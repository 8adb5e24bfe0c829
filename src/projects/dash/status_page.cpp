#include "projects/dash/status_page.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/files/disk_space.h"
#include "core/model_store/utc_time.h"

namespace toolkit::dash {

namespace {

using namespace monitor;

constexpr const char* kUnknown = "unknown";

std::string shown_bytes(int64_t bytes) {
  return files::shown_bytes(static_cast<uint64_t>(std::max<int64_t>(0, bytes)));
}

/// Rows "  name         value", values below each other.
class Rows {
 public:
  explicit Rows(bool color) : color_(color) {}
  void add(const std::string& name, const std::string& value, const char* code = nullptr) {
    text_ += fmt::format("  {:<13}{}\n", name, painted(value, code));
  }
  std::string painted(const std::string& value, const char* code) const {
    return code && color_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, value) : value;
  }
  const std::string& text() const { return text_; }

 private:
  bool color_;
  std::string text_;
};

std::string shown_speed(const Snapshot& snapshot) {
  if (!snapshot.is_active()) return short_speed(snapshot) == "off" ? "no server answers" : "idle";
  const RunningRequest& first = snapshot.running.front();
  std::string text = snapshot.speed.tokens_per_second
                         ? fmt::format("{:.1f} tok/s ({})", *snapshot.speed.tokens_per_second,
                                       quality_name(snapshot.speed.quality))
                         : std::string("generating, speed unknown");
  text += fmt::format(", {} request{}", snapshot.running.size(),
                      snapshot.running.size() == 1 ? "" : "s");
  if (!first.model.empty()) text += ", " + first.model;
  if (first.reading_prompt) text += ", reading the prompt";
  return text;
}

void add_machine(Rows& rows, const MachineReading& machine, const Preferences& preferences) {
  if (machine.gpus.empty()) rows.add("GPU", kUnknown);
  for (const platform::GpuReading& gpu : machine.gpus) {
    std::string text = gpu.name + ", use ";
    text += gpu.use_percent ? fmt::format("{:.0f} %", *gpu.use_percent) : kUnknown;
    if (gpu.memory_used_bytes) {
      text += ", " + shown_bytes(*gpu.memory_used_bytes);
      if (gpu.memory_total_bytes) text += " of " + shown_bytes(*gpu.memory_total_bytes);
    }
    rows.add("GPU", text);
  }
  const auto shown = [&](const std::optional<double>& celsius) {
    return celsius ? shown_temperature(*celsius, preferences.temperature_unit) : kUnknown;
  };
  rows.add("temperature", fmt::format("GPU {}, processor {}", shown(machine.temperatures.gpu_c),
                                      shown(machine.temperatures.cpu_c)));
  const auto power = machine.total_power_w();
  rows.add("power", power ? fmt::format("{:.1f} W", *power) : kUnknown);
  if (machine.cpu_use_percent)
    rows.add("processor", fmt::format("{:.0f} %", *machine.cpu_use_percent));
  if (machine.memory.total_bytes <= 0) {
    rows.add("memory", kUnknown);
    return;
  }
  std::string memory = shown_bytes(machine.memory.available_bytes) + " free of " +
                       shown_bytes(machine.memory.total_bytes);
  if (machine.memory.swap_used_bytes)
    memory += ", " + shown_bytes(*machine.memory.swap_used_bytes) + " in swap";
  rows.add("memory", memory);
}

std::string shown_server(const ServerState& server) {
  std::string text = server_kind_name(server.kind);
  if (!server.version.empty()) text += " " + server.version;
  text += " at " + server.url;
  switch (server.failure) {
    case Failure::kNone:
      return text + (server.reachable ? "" : ": does not answer");
    case Failure::kAbsent:
      return text + ": does not answer";
    case Failure::kSlow:
      return text + ": takes over two seconds to answer";
    case Failure::kStatus:
      return text + ": answers with an error";
    case Failure::kForeign:
      return text + ": another program answers";
  }
  return text;
}

}  // namespace

std::string shown_model(const LoadedModel& model, int64_t now_s) {
  std::string text = model.size_bytes ? shown_bytes(*model.size_bytes) : "memory unknown";
  if (model.size_bytes && model.gpu_bytes && *model.size_bytes > 0)
    text += fmt::format(", {:.0f} % on the GPU", 100.0 * static_cast<double>(*model.gpu_bytes) /
                                                     static_cast<double>(*model.size_bytes));
  if (model.context_length) text += fmt::format(", context {}", *model.context_length);
  if (model.expires_at_s) {
    const int64_t minutes = (*model.expires_at_s - now_s + 59) / 60;
    // Ollama writes "never" as a time centuries ahead.
    if (minutes > 0 && minutes < 60 * 24 * 365) text += fmt::format(", unloads in {} min", minutes);
  }
  return text;
}

std::string to_page(const Snapshot& snapshot, const Preferences& preferences, bool color) {
  Rows rows(color);
  const bool active = snapshot.is_active();
  rows.add("speed", shown_speed(snapshot), active ? "1;32" : nullptr);
  if (snapshot.last)
    rows.add("last answer",
             fmt::format("{:.1f} tok/s ({}), {} tokens", *snapshot.last->tokens_per_second,
                         quality_name(snapshot.last->quality), snapshot.last->tokens));
  const auto models = snapshot.models();
  if (models.empty()) rows.add("model", "none loaded");
  for (const LoadedModel& model : models) {
    std::string what = model.parameters;
    if (!model.quantization.empty()) what += (what.empty() ? "" : " ") + model.quantization;
    rows.add("model", model.name + (what.empty() ? "" : " (" + what + ")"));
    rows.add("", shown_model(model, snapshot.time_s));
  }
  add_machine(rows, snapshot.machine, preferences);
  for (const ServerState& server : snapshot.servers)
    if (server.reachable || server.url == preferences.ollama_url())
      rows.add("server", shown_server(server));
  std::string text = rows.text();
  for (const Message& message : snapshot.messages) {
    const char* code = message.severity == Severity::kFault ? "31" : "33";
    text += "\n" + rows.painted(message.text, code) + "\n" + message.action + "\n";
  }
  return text;
}

std::string to_line(const Snapshot& snapshot) {
  const auto models = snapshot.models();
  std::string text =
      fmt::format("{}  {:<12}", model_store::utc_text(snapshot.time_s), short_speed(snapshot));
  if (snapshot.is_active()) text += fmt::format(" {:<9}", quality_name(snapshot.speed.quality));
  if (!models.empty()) text += fmt::format(" {}", models[0].name);
  if (const auto use = snapshot.machine.gpu_use_percent())
    text += fmt::format("  GPU {:.0f} %", *use);
  if (snapshot.machine.memory.total_bytes > 0)
    text += fmt::format("  {} free", shown_bytes(snapshot.machine.memory.available_bytes));
  for (const Message& message : snapshot.messages) text += "  ! " + message.text;
  return text;
}

}  // namespace toolkit::dash
