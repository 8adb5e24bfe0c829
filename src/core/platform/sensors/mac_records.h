#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/platform/sensors/sensors.h"

namespace toolkit::platform {

/// What macOS' registries say, decoded without macOS: the properties of an IOAccelerator as JSON,
/// IOReport's channels, the keys of the SMC (system management controller). sensors_macos.cpp
/// fetches them; tests decode records.

/// IOAccelerator's `PerformanceStatistics`: "Device Utilization %", "In use system memory", and of
/// discrete GPUs "Temperature(C)".
GpuReading gpu_of_accelerator(const nlohmann::json& properties, const std::string& name);
std::optional<double> temperature_of_accelerator(const nlohmann::json& properties);

/// Residencies of IOReport's channel GPUPH ("GPU Stats", "GPU Performance States"): share of the
/// time that was not spent in state OFF, DOWN or IDLE, in percent.
struct StateResidency {
  std::string name;
  int64_t residency = 0;
};
std::optional<double> active_percent(const std::vector<StateResidency>& states);

/// A channel of IOReport's group "Energy Model": "GPU Energy" in mJ, uJ or nJ; parts of a chip of
/// several dies are called "DIE_0_GPU Energy". Empty for other channels and units.
std::optional<double> gpu_energy_joules(const std::string& channel, const std::string& unit,
                                        int64_t value);

/// A value of the SMC: big-endian ui8, ui16, ui32, sp78 (signed 8.8), fpe2, and little-endian flt.
/// Empty for other types or sizes.
std::optional<double> smc_value(const std::string& type, std::span<const uint8_t> bytes);

/// Keys of the GPU's temperature: Tg.., on M3 also some Tf..
bool is_gpu_temperature_key(const std::string& key);
/// Keys of the processor cores' temperature: Tp.., Te.., on M3 and later the other Tf..
bool is_cpu_temperature_key(const std::string& key);

/// A temperature sensor of the HID registry: its name ("Product") and degrees Celsius.
struct HidTemperature {
  std::string name;
  double celsius = 0;
};
/// Of the GPU ("GPU MTR Temp Sensor1") and the processor: its cores ("pACC MTR Temp Sensor0",
/// "eACC ..."), where a chip names none the dies of the power manager ("PMU tdie1"). Batteries,
/// flash memory and the ends of scales ("PMU tcal") are left out.
TemperatureReading temperatures_of_hid(const std::vector<HidTemperature>& sensors);

/// "PSTR" as SMC's 32-bit number, and back.
uint32_t smc_code(const std::string& key);
std::string smc_name(uint32_t code);

/// What an SMC call sends and gets, as the kernel's interface lays it out: 80 bytes.
struct SmcMessage {
  uint32_t key = 0;
  std::array<uint8_t, 6> version{};
  std::array<uint8_t, 2> padding{};
  std::array<uint8_t, 16> limits{};
  uint32_t data_size = 0, data_type = 0;
  uint8_t data_attributes = 0;
  std::array<uint8_t, 3> padding2{};
  uint8_t result = 0, status = 0, command = 0, padding3 = 0;
  uint32_t data = 0;
  std::array<uint8_t, 32> bytes{};
};
static_assert(sizeof(SmcMessage) == 80);

}  // namespace toolkit::platform
