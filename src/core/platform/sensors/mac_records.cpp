#include "core/platform/sensors/mac_records.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string_view>

namespace toolkit::platform {

namespace {

using nlohmann::json;

std::optional<double> statistic(const json& properties, const char* name) {
  const auto statistics = properties.find("PerformanceStatistics");
  if (statistics == properties.end() || !statistics->is_object()) return std::nullopt;
  const auto value = statistics->find(name);
  if (value == statistics->end() || !value->is_number()) return std::nullopt;
  return value->get<double>();
}

constexpr std::string_view kM3GpuKeys[] = {"Tf14", "Tf18", "Tf19", "Tf1A",
                                           "Tf24", "Tf28", "Tf29", "Tf2A"};

bool is_m3_gpu_key(const std::string& key) {
  return std::find(std::begin(kM3GpuKeys), std::end(kM3GpuKeys), key) != std::end(kM3GpuKeys);
}

}  // namespace

GpuReading gpu_of_accelerator(const json& properties, const std::string& name) {
  GpuReading gpu{.name = name};
  for (const char* key : {"Device Utilization %", "GPU Activity(%)"})
    if (const auto use = statistic(properties, key); use && *use >= 0 && !gpu.use_percent)
      gpu.use_percent = std::min(*use, 100.0);
  if (const auto used = statistic(properties, "In use system memory"); used && *used >= 0)
    gpu.memory_used_bytes = static_cast<int64_t>(*used);
  return gpu;
}

std::optional<double> temperature_of_accelerator(const json& properties) {
  const auto celsius = statistic(properties, "Temperature(C)");
  if (!celsius || !is_plausible_temperature(*celsius)) return std::nullopt;
  return celsius;
}

std::optional<double> active_percent(const std::vector<StateResidency>& states) {
  double active = 0, all = 0;
  for (const StateResidency& state : states) {
    if (state.residency < 0) return std::nullopt;
    all += static_cast<double>(state.residency);
    if (state.name != "OFF" && state.name != "DOWN" && state.name != "IDLE")
      active += static_cast<double>(state.residency);
  }
  if (all <= 0) return std::nullopt;
  return 100 * active / all;
}

std::optional<double> gpu_energy_joules(const std::string& channel, const std::string& unit,
                                        int64_t value) {
  std::string name = channel;
  if (name.starts_with("DIE_"))
    if (const size_t end = name.find('_', 4); end != name.npos) name = name.substr(end + 1);
  if (name != "GPU Energy" || value < 0) return std::nullopt;
  for (const auto& [known, scale] :
       {std::pair{"mJ", 1e-3}, std::pair{"uJ", 1e-6}, std::pair{"nJ", 1e-9}})
    if (unit == known) return static_cast<double>(value) * scale;
  return std::nullopt;
}

std::optional<double> smc_value(const std::string& type, std::span<const uint8_t> bytes) {
  const auto big_endian = [&](size_t count) {
    uint32_t value = 0;
    for (size_t at = 0; at < count; ++at) value = value << 8 | bytes[at];
    return value;
  };
  if (type == "flt " && bytes.size() == 4) {
    const uint32_t bits = uint32_t{bytes[0]} | uint32_t{bytes[1]} << 8 | uint32_t{bytes[2]} << 16 |
                          uint32_t{bytes[3]} << 24;
    float value = 0;
    std::memcpy(&value, &bits, sizeof value);
    if (!std::isfinite(value)) return std::nullopt;
    return value;
  }
  if (type == "ui8 " && bytes.size() == 1) return bytes[0];
  if (type == "ui16" && bytes.size() == 2) return big_endian(2);
  if (type == "ui32" && bytes.size() == 4) return big_endian(4);
  if (type == "sp78" && bytes.size() == 2) return static_cast<int16_t>(big_endian(2)) / 256.0;
  if (type == "fpe2" && bytes.size() == 2) return big_endian(2) / 4.0;
  return std::nullopt;
}

bool is_gpu_temperature_key(const std::string& key) {
  return key.size() == 4 && (key.starts_with("Tg") || is_m3_gpu_key(key));
}

bool is_cpu_temperature_key(const std::string& key) {
  if (key.size() != 4 || is_gpu_temperature_key(key)) return false;
  return key.starts_with("Tp") || key.starts_with("Te") || key.starts_with("Tf");
}

TemperatureReading temperatures_of_hid(const std::vector<HidTemperature>& sensors) {
  std::vector<double> gpu, cores, dies;
  for (const HidTemperature& sensor : sensors) {
    const std::string& name = sensor.name;
    if (name.starts_with("GPU MTR"))
      gpu.push_back(sensor.celsius);
    else if (name.starts_with("pACC MTR") || name.starts_with("eACC MTR"))
      cores.push_back(sensor.celsius);
    else if (name.starts_with("PMU") && name.find(" tdie") != name.npos)
      dies.push_back(sensor.celsius);
  }
  TemperatureReading reading{.gpu_c = mean_temperature(gpu), .cpu_c = mean_temperature(cores)};
  if (!reading.cpu_c) reading.cpu_c = mean_temperature(dies);
  return reading;
}

uint32_t smc_code(const std::string& key) {
  uint32_t code = 0;
  for (size_t at = 0; at < 4; ++at)
    code = code << 8 | static_cast<uint8_t>(at < key.size() ? key[at] : ' ');
  return code;
}

std::string smc_name(uint32_t code) {
  std::string name(4, ' ');
  for (size_t at = 0; at < 4; ++at) name[at] = static_cast<char>(code >> (24 - 8 * at) & 0xff);
  return name;
}

}  // namespace toolkit::platform
