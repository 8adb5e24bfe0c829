#include "core/platform/sensors/mac_records.h"

#include <nlohmann/json.hpp>

#include "core/base/testing.h"

namespace toolkit::platform {

TEST_SUITE_BEGIN("unit");

TEST_CASE("an Apple GPU's IOAccelerator properties") {
  const auto properties = nlohmann::json::parse(R"({"IOClass": "AGXAcceleratorG15X",
    "PerformanceStatistics": {"Device Utilization %": 42, "Renderer Utilization %": 40,
      "Tiler Utilization %": 12, "In use system memory": 1284505600,
      "Alloc system memory": 5637144576}})");
  const GpuReading gpu = gpu_of_accelerator(properties, "Apple M3 Pro GPU");
  CHECK(gpu.name == "Apple M3 Pro GPU");
  CHECK(gpu.use_percent == 42);
  CHECK(gpu.memory_used_bytes == 1'284'505'600);
  CHECK(!temperature_of_accelerator(properties));
}

TEST_CASE("a discrete GPU of an Intel Mac and properties without statistics") {
  const nlohmann::json discrete = {
      {"PerformanceStatistics", {{"GPU Activity(%)", 7}, {"Temperature(C)", 55}}}};
  CHECK(gpu_of_accelerator(discrete, "").use_percent == 7);
  CHECK(temperature_of_accelerator(discrete) == 55);
  const nlohmann::json asleep = {{"PerformanceStatistics", {{"Temperature(C)", 0}}}};
  CHECK(!temperature_of_accelerator(asleep));
  CHECK(!gpu_of_accelerator(nlohmann::json::object(), "").use_percent);
  CHECK(!gpu_of_accelerator(nlohmann::json{{"PerformanceStatistics", 3}}, "").use_percent);
}

TEST_CASE("IOReport's states and energy") {
  CHECK(active_percent({{"OFF", 750}, {"P1", 150}, {"P2", 100}}) == 25);
  CHECK(!active_percent({}));
  CHECK(!active_percent({{"OFF", 0}}));
  CHECK(!active_percent({{"P1", -1}}));
  CHECK(gpu_energy_joules("GPU Energy", "nJ", 2'500'000'000).value() == doctest::Approx(2.5));
  CHECK(gpu_energy_joules("DIE_1_GPU Energy", "mJ", 40).value() == doctest::Approx(0.04));
  CHECK(!gpu_energy_joules("GPU SRAM Energy", "mJ", 40));
  CHECK(!gpu_energy_joules("GPU Energy", "calories", 40));
}

TEST_CASE("values of the SMC by type") {
  const std::vector<uint8_t> flt = {0x00, 0x00, 0x36, 0x42};  // 45.5, little-endian
  CHECK(smc_value("flt ", flt) == 45.5);
  CHECK(smc_value("sp78", std::vector<uint8_t>{0x2d, 0x80}) == 45.5);
  CHECK(smc_value("sp78", std::vector<uint8_t>{0xff, 0x00}) == -1);
  CHECK(smc_value("ui16", std::vector<uint8_t>{0x01, 0x02}) == 258);
  CHECK(smc_value("ui32", std::vector<uint8_t>{0, 0, 4, 1}) == 1025);
  CHECK(smc_value("fpe2", std::vector<uint8_t>{0x12, 0x00}) == 1152);
  CHECK(!smc_value("flt ", std::vector<uint8_t>{1, 2}));
  CHECK(!smc_value("ch8*", std::vector<uint8_t>{1, 2}));
}

TEST_CASE("keys of the SMC") {
  CHECK(smc_name(smc_code("PSTR")) == "PSTR");
  CHECK(is_gpu_temperature_key("Tg0f"));
  CHECK(is_gpu_temperature_key("Tf14"));
  CHECK(!is_gpu_temperature_key("Tf04"));
  CHECK(is_cpu_temperature_key("Tf04"));
  CHECK(is_cpu_temperature_key("Tp01"));
  CHECK(!is_cpu_temperature_key("Tg0f"));
}

TEST_CASE("temperatures of the HID registry") {
  const TemperatureReading named = temperatures_of_hid({{"pACC MTR Temp Sensor2", 52},
                                                        {"eACC MTR Temp Sensor0", 48},
                                                        {"GPU MTR Temp Sensor1", 44},
                                                        {"GPU MTR Temp Sensor4", 46},
                                                        {"SOC MTR Temp Sensor0", 70},
                                                        {"PMU tdie1", 61},
                                                        {"NAND CH0 temp", 35}});
  CHECK(named.cpu_c == 50);
  CHECK(named.gpu_c == 45);
  const TemperatureReading unnamed = temperatures_of_hid({{"PMU tdie1", 50},
                                                          {"PMU2 tdie4", 54},
                                                          {"PMU tdie9", -20},
                                                          {"PMU tcal", 51.85},
                                                          {"PMU tdev1", 90},
                                                          {"gas gauge battery", 30}});
  CHECK(unnamed.cpu_c == 52);
  CHECK(!unnamed.gpu_c);
  CHECK(!temperatures_of_hid({}).cpu_c);
}

TEST_CASE("a mean of what sensors may really say") {
  CHECK(mean_temperature({0, 40, 50, 255, -3}) == 45);
  CHECK(!mean_temperature({0, 0}));
}

TEST_SUITE_END();

}  // namespace toolkit::platform
