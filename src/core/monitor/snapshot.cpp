#include "core/monitor/snapshot.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/model_store/utc_time.h"

namespace toolkit::monitor {

namespace {

template <class Value>
Json json_of(const std::optional<Value>& value) {
  return value ? Json(*value) : Json();
}

Json json_of(const LoadedModel& model) {
  return {{"name", model.name},
          {"parameters", model.parameters},
          {"quantization", model.quantization},
          {"size_bytes", json_of(model.size_bytes)},
          {"gpu_bytes", json_of(model.gpu_bytes)},
          {"context_length", json_of(model.context_length)},
          {"expires_at",
           model.expires_at_s ? Json(model_store::utc_text(*model.expires_at_s)) : Json()}};
}

Json json_of(const RunningRequest& request) {
  return {{"model", request.model},
          {"server", request.server},
          {"way", way_name(request.way)},
          {"quality", quality_name(request.quality)},
          {"reading_prompt", request.reading_prompt},
          {"tokens", json_of(request.tokens)},
          {"prompt_tokens", json_of(request.prompt_tokens)},
          {"tokens_per_second", json_of(request.tokens_per_second)}};
}

Json json_of(const MachineReading& machine) {
  Json gpus = Json::array();
  for (const platform::GpuReading& gpu : machine.gpus)
    gpus.push_back({{"name", gpu.name},
                    {"use_percent", json_of(gpu.use_percent)},
                    {"power_w", json_of(gpu.power_w)},
                    {"memory_used_bytes", json_of(gpu.memory_used_bytes)},
                    {"memory_total_bytes", json_of(gpu.memory_total_bytes)}});
  const bool known = machine.memory.total_bytes > 0;
  return {{"gpus", gpus},
          {"gpu_use_percent", json_of(machine.gpu_use_percent())},
          {"gpu_temperature_c", json_of(machine.temperatures.gpu_c)},
          {"cpu_temperature_c", json_of(machine.temperatures.cpu_c)},
          {"power_w", json_of(machine.total_power_w())},
          {"cpu_use_percent", json_of(machine.cpu_use_percent)},
          {"memory_total_bytes", known ? Json(machine.memory.total_bytes) : Json()},
          {"memory_available_bytes", known ? Json(machine.memory.available_bytes) : Json()},
          {"swap_used_bytes", json_of(machine.memory.swap_used_bytes)},
          {"memory_stall_percent", json_of(machine.memory.stall_percent)}};
}

Json json_of(const ServerState& server) {
  Json models = Json::array();
  for (const LoadedModel& model : server.models) models.push_back(json_of(model));
  return {{"url", server.url},
          {"kind", server_kind_name(server.kind)},
          {"reachable", server.reachable},
          {"version", server.version},
          {"trouble", server.trouble},
          {"models", models}};
}

const char* severity_name(Severity severity) {
  constexpr const char* kNames[] = {"hint", "warning", "fault"};
  return kNames[static_cast<int>(severity)];
}

}  // namespace

std::optional<double> MachineReading::gpu_use_percent() const {
  std::optional<double> highest;
  for (const platform::GpuReading& gpu : gpus)
    if (gpu.use_percent) highest = std::max(highest.value_or(0), *gpu.use_percent);
  return highest;
}

std::optional<double> MachineReading::temperature_c() const {
  return temperatures.gpu_c ? temperatures.gpu_c : temperatures.cpu_c;
}

std::optional<double> MachineReading::total_power_w() const {
  std::optional<double> sum;
  for (const platform::GpuReading& gpu : gpus)
    if (gpu.power_w) sum = sum.value_or(0) + *gpu.power_w;
  return sum ? sum : power_w;
}

std::vector<LoadedModel> Snapshot::models() const {
  std::vector<LoadedModel> all;
  for (const ServerState& server : servers)
    for (const LoadedModel& model : server.models)
      if (std::none_of(all.begin(), all.end(),
                       [&](const auto& one) { return one.name == model.name; }))
        all.push_back(model);
  std::stable_partition(all.begin(), all.end(), [&](const LoadedModel& model) {
    return std::any_of(running.begin(), running.end(),
                       [&](const auto& request) { return request.model == model.name; });
  });
  return all;
}

Json to_json(const Snapshot& snapshot) {
  Json servers = Json::array(), running = Json::array(), messages = Json::array();
  for (const ServerState& server : snapshot.servers) servers.push_back(json_of(server));
  for (const RunningRequest& request : snapshot.running) running.push_back(json_of(request));
  for (const Message& message : snapshot.messages)
    messages.push_back({{"severity", severity_name(message.severity)},
                        {"key", message.key},
                        {"text", message.text},
                        {"action", message.action}});
  Json last;
  if (snapshot.last)
    last = {{"model", snapshot.last->model},
            {"tokens", snapshot.last->tokens},
            {"tokens_per_second", json_of(snapshot.last->tokens_per_second)},
            {"quality", quality_name(snapshot.last->quality)}};
  return {{"time", model_store::utc_text(snapshot.time_s)},
          {"tokens_per_second", json_of(snapshot.speed.tokens_per_second)},
          {"quality", quality_name(snapshot.speed.quality)},
          {"active", snapshot.is_active()},
          {"running", running},
          {"last_answer", last},
          {"servers", servers},
          {"machine", json_of(snapshot.machine)},
          {"messages", messages}};
}

std::string short_speed(const Snapshot& snapshot) {
  if (snapshot.is_active()) {
    if (!snapshot.speed.tokens_per_second) return "... tok/s";
    const char* mark = snapshot.speed.quality == Quality::kEstimated ? "~" : "";
    return fmt::format("{}{:.1f} tok/s", mark, *snapshot.speed.tokens_per_second);
  }
  const bool any = std::any_of(snapshot.servers.begin(), snapshot.servers.end(),
                               [](const ServerState& server) { return server.reachable; });
  return any ? "idle" : "off";
}

}  // namespace toolkit::monitor
