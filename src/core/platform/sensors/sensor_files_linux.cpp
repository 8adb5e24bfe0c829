#include "core/platform/sensors/sensor_files_linux.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <sstream>

#include "core/platform/linux_files.h"

namespace toolkit::platform {

namespace fs = std::filesystem;

namespace {

/// Entries of a folder whose name is `prefix` and then digits only, by name.
std::vector<fs::path> numbered(const fs::path& folder, const std::string& prefix) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    const std::string_view rest =
        std::string_view(name).substr(std::min(name.size(), prefix.size()));
    const auto is_digit = [](unsigned char letter) { return std::isdigit(letter) != 0; };
    if (name.starts_with(prefix) && !rest.empty() &&
        std::all_of(rest.begin(), rest.end(), is_digit))
      found.push_back(at->path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::optional<double> millidegrees(const fs::path& file) {
  const auto value = number_in(file);
  if (!value || !is_plausible_temperature(static_cast<double>(*value) / 1000)) return std::nullopt;
  return static_cast<double>(*value) / 1000;
}

enum class Maker { kAmd, kIntel, kOther };

Maker maker_of(const fs::path& device) {
  const std::string vendor = first_line(device / "vendor");
  if (vendor == "0x1002") return Maker::kAmd;
  return vendor == "0x8086" ? Maker::kIntel : Maker::kOther;
}

std::string name_of(const fs::path& device, Maker maker) {
  const std::string product = first_line(device / "product_name");
  if (!product.empty()) return product;
  return maker == Maker::kAmd ? "AMD GPU" : "Intel GPU";
}

std::optional<double> microwatts(const fs::path& device) {
  for (const fs::path& monitor : numbered(device / "hwmon", "hwmon"))
    for (const char* name : {"power1_average", "power1_input"})
      if (const auto value = number_in(monitor / name); value && *value > 0)
        return static_cast<double>(*value) / 1e6;
  return std::nullopt;
}

/// The highest plausible temp*_input of one hwmon folder, or the one of the whole package.
std::optional<double> package_or_highest(const fs::path& monitor) {
  std::optional<double> highest;
  for (const fs::path& entry : fs::directory_iterator(monitor)) {
    const std::string name = entry.filename().string();
    if (!name.starts_with("temp") || !name.ends_with("_input")) continue;
    const auto value = millidegrees(entry);
    if (!value) continue;
    const std::string label = first_line(monitor / (name.substr(0, name.size() - 6) + "_label"));
    if (label.starts_with("Package") || label == "Tdie" || label == "Tctl") return value;
    highest = std::max(highest.value_or(*value), *value);
  }
  return highest;
}

}  // namespace

std::optional<int64_t> number_in(const fs::path& file) {
  std::istringstream text(first_line(file));
  int64_t value = 0;
  std::string rest;
  if (!(text >> value) || text >> rest) return std::nullopt;
  return value;
}

std::vector<GpuReading> drm_gpus(const fs::path& root) {
  std::vector<GpuReading> gpus;
  for (const fs::path& card : numbered(root / "sys/class/drm", "card")) {
    const fs::path device = card / "device";
    const Maker maker = maker_of(device);
    if (maker == Maker::kOther) continue;
    GpuReading gpu{.name = name_of(device, maker), .power_w = microwatts(device)};
    if (const auto busy = number_in(device / "gpu_busy_percent");
        busy && *busy >= 0 && *busy <= 100)
      gpu.use_percent = static_cast<double>(*busy);
    gpu.memory_used_bytes = number_in(device / "mem_info_vram_used");
    gpu.memory_total_bytes = number_in(device / "mem_info_vram_total");
    gpus.push_back(std::move(gpu));
  }
  return gpus;
}

std::optional<double> drm_temperature(const fs::path& root) {
  std::vector<double> found;
  for (const fs::path& card : numbered(root / "sys/class/drm", "card")) {
    if (maker_of(card / "device") == Maker::kOther) continue;
    for (const fs::path& monitor : numbered(card / "device/hwmon", "hwmon")) {
      // xe has the package in temp2; i915 and amdgpu (the edge) have temp1.
      const bool is_xe = first_line(monitor / "name") == "xe";
      if (const auto value = millidegrees(monitor / (is_xe ? "temp2_input" : "temp1_input")))
        found.push_back(*value);
    }
  }
  return mean_temperature(found);
}

std::optional<double> cpu_temperature(const fs::path& root) {
  for (const fs::path& monitor : numbered(root / "sys/class/hwmon", "hwmon")) {
    const std::string name = first_line(monitor / "name");
    if (name == "coretemp" || name == "k10temp" || name == "zenpower" || name == "cpu_thermal")
      if (const auto value = package_or_highest(monitor)) return value;
  }
  for (const fs::path& zone : numbered(root / "sys/class/thermal", "thermal_zone")) {
    const std::string type = first_line(zone / "type");
    if (type == "x86_pkg_temp" || type.find("cpu") != type.npos || type.find("soc") != type.npos)
      if (const auto value = millidegrees(zone / "temp")) return value;
  }
  return std::nullopt;
}

std::vector<EnergyCounter> package_energy(const fs::path& root) {
  std::vector<EnergyCounter> counters;
  for (const fs::path& zone : numbered(root / "sys/class/powercap", "intel-rapl:")) {
    const auto energy = number_in(zone / "energy_uj"),
               range = number_in(zone / "max_energy_range_uj");
    if (energy && range && first_line(zone / "name").starts_with("package"))
      counters.push_back({*energy, *range});
  }
  return counters;
}

std::optional<ProcessorTime> processor_time(const fs::path& root) {
  std::istringstream text(first_line(root / "proc/stat"));
  std::string name;
  text >> name;
  if (name != "cpu") return std::nullopt;
  // user nice system idle iowait irq softirq steal; guests are counted in user.
  ProcessorTime time;
  int64_t value = 0;
  int count = 0;
  for (; count < 8 && text >> value; ++count) {
    time.all += value;
    if (count != 3 && count != 4) time.busy += value;
  }
  if (count < 4) return std::nullopt;
  return time;
}

MemoryReading memory_reading(const fs::path& root) {
  const fs::path file = root / "proc/meminfo";
  MemoryReading memory{.total_bytes = kilobyte_line(file, "MemTotal"),
                       .available_bytes = kilobyte_line(file, "MemAvailable")};
  if (const auto limit = cgroup_memory_limit(root))
    memory.total_bytes = std::min(memory.total_bytes, *limit);
  if (const auto left = cgroup_memory_available(root))
    memory.available_bytes = std::min(memory.available_bytes, *left);
  if (memory.total_bytes > 0)
    memory.swap_used_bytes = kilobyte_line(file, "SwapTotal") - kilobyte_line(file, "SwapFree");
  const std::string pressure = first_line(root / "proc/pressure/memory");
  if (const size_t at = pressure.find("avg10=");
      pressure.starts_with("some") && at != pressure.npos) {
    std::istringstream text(pressure.substr(at + 6));
    double value = 0;
    if (text >> value) memory.stall_percent = value;
  }
  return memory;
}

}  // namespace toolkit::platform
