// Not run on a Mac yet; cross-compiled by scripts/cross_macos.

#include <mach/mach.h>
#include <sys/sysctl.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/platform/hardware.h"
#include "core/platform/sensors/hid_temperatures_macos.h"
#include "core/platform/sensors/smc_macos.h"

namespace toolkit::platform {

namespace {

constexpr uint32_t kUtf8 = 0x08000100;

/// Properties of every IOAccelerator.
std::vector<nlohmann::json> accelerators(const CoreFoundation& foundation, const IoKit& kit) {
  std::vector<nlohmann::json> found;
  IoObject services = 0;
  if (!foundation.ready || !kit.ready ||
      kit.find_services(0, kit.matching("IOAccelerator"), &services) != 0)
    return found;
  while (const IoObject one = kit.next(services)) {
    CfObject properties = nullptr;
    if (kit.properties(one, &properties, nullptr, 0) == 0 && properties) {
      found.push_back(foundation.to_json(properties));
      foundation.release(properties);
    }
    kit.release(one);
  }
  kit.release(services);
  return found;
}

/// The GPU's states and energy between two calls, by IOReport.
class GpuReport {
 public:
  GpuReport(const CoreFoundation& foundation, const IoReport& report)
      : foundation_(foundation), report_(report) {
    if (!foundation.ready || !report.ready) return;
    channels_ = channels_of("GPU Stats");
    CfObject energy = channels_of("Energy Model");
    if (channels_ && energy) report.merge(channels_, energy, nullptr);
    if (energy) foundation.release(energy);
    if (channels_) subscription_ = report.subscribe(nullptr, channels_, &subscribed_, 0, nullptr);
  }
  ~GpuReport() {
    for (CfObject object : {sample_, subscription_, subscribed_, channels_})
      if (object) foundation_.release(object);
  }
  GpuReport(const GpuReport&) = delete;
  GpuReport& operator=(const GpuReport&) = delete;

  struct Result {
    std::optional<double> active_percent, power_w;
  };
  Result read() {
    if (!subscription_) return {};
    CfObject before = std::exchange(sample_, report_.sample(subscription_, subscribed_, nullptr));
    const auto now = std::chrono::steady_clock::now();
    const double seconds = std::chrono::duration<double>(now - std::exchange(time_, now)).count();
    if (!before || !sample_) return {};
    CfObject difference = report_.difference(before, sample_, nullptr);
    foundation_.release(before);
    if (!difference) return {};
    const Result result = result_of(difference, seconds);
    foundation_.release(difference);
    return result;
  }

 private:
  CfObject channels_of(const char* group) const {
    CfObject name = foundation_.make_string(nullptr, group, kUtf8);
    CfObject channels = report_.channels(name, nullptr, 0, 0, 0);
    foundation_.release(name);
    return channels;
  }

  Result result_of(CfObject difference, double seconds) const {
    Result result;
    CfObject key = foundation_.make_string(nullptr, "IOReportChannels", kUtf8);
    CfObject list = foundation_.dictionary_value(difference, key);
    foundation_.release(key);
    std::optional<double> joules;
    for (long at = 0; list && at < foundation_.array_count(list); ++at) {
      CfObject channel = foundation_.array_value(list, at);
      const std::string name = foundation_.text(report_.channel_name(channel));
      if (name == "GPUPH") result.active_percent = active_percent(states_of(channel));
      if (foundation_.text(report_.group(channel)) != "Energy Model") continue;
      const auto energy = gpu_energy_joules(name, foundation_.text(report_.unit(channel)),
                                            report_.integer(channel, 0));
      if (energy) joules = joules.value_or(0) + *energy;
    }
    if (joules && seconds > 0) result.power_w = *joules / seconds;
    return result;
  }

  std::vector<StateResidency> states_of(CfObject channel) const {
    std::vector<StateResidency> states;
    for (int at = 0; at < report_.state_count(channel); ++at)
      states.push_back({foundation_.text(report_.state_name(channel, at)),
                        report_.state_residency(channel, at)});
    return states;
  }

  const CoreFoundation& foundation_;
  const IoReport& report_;
  CfObject channels_ = nullptr, subscribed_ = nullptr, subscription_ = nullptr, sample_ = nullptr;
  std::chrono::steady_clock::time_point time_;
};

class MacSensors : public Sensors {
 public:
  std::vector<GpuReading> gpus() override {
    std::vector<GpuReading> readings;
    for (const nlohmann::json& properties : accelerators(foundation_, kit_))
      readings.push_back(gpu_of_accelerator(properties, name_));
    if (readings.empty()) return readings;
    const GpuReport::Result report = gpu_.read();
    if (report.active_percent) readings.front().use_percent = report.active_percent;
    readings.front().power_w = report.power_w;
    return readings;
  }

  TemperatureReading temperatures() override {
    TemperatureReading reading{.gpu_c = mean_of(smc_.gpu_keys()),
                               .cpu_c = mean_of(smc_.cpu_keys())};
    if (!reading.gpu_c || !reading.cpu_c) {
      const TemperatureReading other = temperatures_of_hid(hid_.read());
      if (!reading.gpu_c) reading.gpu_c = other.gpu_c;
      if (!reading.cpu_c) reading.cpu_c = other.cpu_c;
    }
    if (!reading.gpu_c)
      for (const nlohmann::json& properties : accelerators(foundation_, kit_))
        if (!reading.gpu_c) reading.gpu_c = temperature_of_accelerator(properties);
    return reading;
  }

  std::optional<double> power_w() override {
    const auto watts = smc_.value("PSTR");
    if (!watts || *watts <= 0) return std::nullopt;
    return watts;
  }

  std::optional<double> cpu_use_percent() override {
    host_cpu_load_info load{};
    mach_msg_type_number_t count = HOST_CPU_LOAD_INFO_COUNT;
    if (::host_statistics(mach_host_self(), HOST_CPU_LOAD_INFO,
                          reinterpret_cast<host_info_t>(&load), &count) != KERN_SUCCESS)
      return std::nullopt;
    uint32_t all = 0;
    for (const natural_t ticks : load.cpu_ticks) all += ticks;
    const uint32_t busy = all - load.cpu_ticks[CPU_STATE_IDLE];
    const uint32_t all_since = all - std::exchange(all_ticks_, all);
    const uint32_t busy_since = busy - std::exchange(busy_ticks_, busy);
    if (!std::exchange(has_ticks_, true) || all_since == 0) return std::nullopt;
    return 100.0 * busy_since / all_since;
  }

  MemoryReading memory() override {
    MemoryReading memory{.total_bytes = detect_hardware().memory_bytes,
                         .available_bytes = available_memory_bytes()};
    xsw_usage swap{};
    size_t size = sizeof swap;
    if (::sysctlbyname("vm.swapusage", &swap, &size, nullptr, 0) == 0)
      memory.swap_used_bytes = static_cast<int64_t>(swap.xsu_used);
    return memory;
  }

 private:
  std::optional<double> mean_of(const std::vector<std::string>& keys) const {
    std::vector<double> values;
    for (const std::string& key : keys)
      if (const auto value = smc_.value(key)) values.push_back(*value);
    return mean_temperature(values);
  }

  const CoreFoundation foundation_;
  const IoKit kit_;
  const IoReport report_;
  const IoHid hid_library_;
  const std::string name_ = detect_hardware().gpu;
  const Smc smc_{kit_, "AppleSMCKeysEndpoint"};
  const HidTemperatures hid_{foundation_, hid_library_};
  GpuReport gpu_{foundation_, report_};
  bool has_ticks_ = false;
  uint32_t all_ticks_ = 0, busy_ticks_ = 0;
};

}  // namespace

std::unique_ptr<Sensors> open_sensors() {
  return std::make_unique<MacSensors>();
}

}  // namespace toolkit::platform
