#include "core/platform/sensors/sensors_linux.h"

#include "core/base/testing.h"

namespace toolkit::platform {

namespace {

using testing::TestingFolder;

struct Machine {
  TestingFolder folder;
  double now = 100;
  LinuxSensors sensors(const std::string& nvml = "no-such-library.so") {
    return LinuxSensors(folder.path, nvml, [this] { return now; });
  }
};

}  // namespace

TEST_SUITE_BEGIN("unit");

TEST_CASE("a machine that tells nothing is unknown everywhere, not zero") {
  Machine machine;
  LinuxSensors sensors = machine.sensors();
  CHECK(sensors.gpus().empty());
  CHECK(!sensors.temperatures().gpu_c);
  CHECK(!sensors.temperatures().cpu_c);
  CHECK(!sensors.power_w());
  CHECK(!sensors.cpu_use_percent());
  CHECK(sensors.memory().total_bytes == 0);
  CHECK(!sensors.memory().swap_used_bytes);
}

TEST_CASE("NVIDIA GPUs through the driver's library") {
  Machine machine;
  LinuxSensors sensors = machine.sensors(NVML_FOR_TESTS);
  const auto gpus = sensors.gpus();
  REQUIRE(gpus.size() == 2);
  CHECK(gpus[0].name == "NVIDIA H200");
  CHECK(gpus[0].use_percent == 87);
  CHECK(gpus[0].power_w == 312.5);
  CHECK(gpus[0].memory_used_bytes == 4'000'000'000);
  CHECK(gpus[0].memory_total_bytes == 16'000'000'000);
  CHECK(gpus[1].name == "NVIDIA T400");
  CHECK(!gpus[1].use_percent);
  CHECK(!gpus[1].power_w);
  CHECK(sensors.temperatures().gpu_c == 61);
}

TEST_CASE("an AMD card as amdgpu shows it") {
  Machine machine;
  const std::string device = "sys/class/drm/card1/device/";
  machine.folder.write(device + "vendor", "0x1002\n");
  machine.folder.write(device + "product_name", "AMD Radeon RX 7900 XTX\n");
  machine.folder.write(device + "gpu_busy_percent", "73\n");
  machine.folder.write(device + "mem_info_vram_used", "5368709120\n");
  machine.folder.write(device + "mem_info_vram_total", "25753026560\n");
  machine.folder.write(device + "hwmon/hwmon3/name", "amdgpu\n");
  machine.folder.write(device + "hwmon/hwmon3/temp1_input", "58000\n");
  machine.folder.write(device + "hwmon/hwmon3/power1_average", "231000000\n");
  machine.folder.write("sys/class/drm/card1-DP-1/status", "connected\n");  // an outlet, no card
  LinuxSensors sensors = machine.sensors();
  const auto gpus = sensors.gpus();
  REQUIRE(gpus.size() == 1);
  CHECK(gpus[0].name == "AMD Radeon RX 7900 XTX");
  CHECK(gpus[0].use_percent == 73);
  CHECK(gpus[0].power_w == 231);
  CHECK(gpus[0].memory_used_bytes == 5'368'709'120);
  CHECK(sensors.temperatures().gpu_c == 58);
}

TEST_CASE("an Intel card says its temperature and keeps its use to itself") {
  Machine machine;
  const std::string device = "sys/class/drm/card0/device/";
  machine.folder.write(device + "vendor", "0x8086\n");
  machine.folder.write(device + "hwmon/hwmon2/name", "xe\n");
  machine.folder.write(device + "hwmon/hwmon2/temp2_input", "47000\n");
  LinuxSensors sensors = machine.sensors();
  REQUIRE(sensors.gpus().size() == 1);
  CHECK(!sensors.gpus()[0].use_percent);
  CHECK(sensors.temperatures().gpu_c == 47);
}

TEST_CASE("broken values are not believed") {
  Machine machine;
  const std::string device = "sys/class/drm/card0/device/";
  machine.folder.write(device + "vendor", "0x1002\n");
  machine.folder.write(device + "gpu_busy_percent", "4294967295\n");
  machine.folder.write(device + "mem_info_vram_used", "a lot\n");
  machine.folder.write(device + "hwmon/hwmon0/temp1_input", "-128000\n");
  LinuxSensors sensors = machine.sensors();
  CHECK(!sensors.gpus()[0].use_percent);
  CHECK(!sensors.gpus()[0].memory_used_bytes);
  CHECK(!sensors.temperatures().gpu_c);
}

TEST_CASE("the processor's temperature: the package before cores and zones") {
  Machine machine;
  machine.folder.write("sys/class/thermal/thermal_zone0/type", "acpitz\n");
  machine.folder.write("sys/class/thermal/thermal_zone0/temp", "20000\n");
  LinuxSensors sensors = machine.sensors();
  CHECK(!sensors.temperatures().cpu_c);
  machine.folder.write("sys/class/thermal/thermal_zone1/type", "x86_pkg_temp\n");
  machine.folder.write("sys/class/thermal/thermal_zone1/temp", "51000\n");
  CHECK(sensors.temperatures().cpu_c == 51);
  machine.folder.write("sys/class/hwmon/hwmon4/name", "coretemp\n");
  machine.folder.write("sys/class/hwmon/hwmon4/temp2_input", "66000\n");
  CHECK(sensors.temperatures().cpu_c == 66);
  machine.folder.write("sys/class/hwmon/hwmon4/temp1_input", "63000\n");
  machine.folder.write("sys/class/hwmon/hwmon4/temp1_label", "Package id 0\n");
  CHECK(sensors.temperatures().cpu_c == 63);
}

TEST_CASE("power is energy by time and lives through the counter's wrap") {
  Machine machine;
  const std::string zone = "sys/class/powercap/intel-rapl:0/";
  machine.folder.write(zone + "name", "package-0\n");
  machine.folder.write(zone + "max_energy_range_uj", "262143328850\n");
  machine.folder.write(zone + "energy_uj", "1000000\n");
  LinuxSensors sensors = machine.sensors();
  CHECK(!sensors.power_w());
  machine.folder.write(zone + "energy_uj", "91000000\n");
  machine.now += 2;
  CHECK(sensors.power_w().value() == doctest::Approx(45));
  machine.folder.write(zone + "energy_uj", "262133328850\n");
  machine.now += 2;
  sensors.power_w();
  machine.folder.write(zone + "energy_uj", "20000000\n");
  machine.now += 1;
  CHECK(sensors.power_w().value() == doctest::Approx(30));
}

TEST_CASE("processor use between two readings and memory with swap and pressure") {
  Machine machine;
  machine.folder.write("proc/stat", "cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 1 1 1 1\n");
  LinuxSensors sensors = machine.sensors();
  CHECK(!sensors.cpu_use_percent());
  machine.folder.write("proc/stat", "cpu  160 0 65 815 60 0 0 0 0 0\n");
  CHECK(sensors.cpu_use_percent().value() == doctest::Approx(75));
  machine.folder.write("proc/meminfo",
                       "MemTotal:  1000 kB\nMemAvailable:  250 kB\nSwapTotal: 100 kB\n"
                       "SwapFree: 60 kB\n");
  machine.folder.write("proc/pressure/memory", "some avg10=12.50 avg60=1.00 avg300=0.00 total=1\n");
  const MemoryReading memory = sensors.memory();
  CHECK(memory.total_bytes == 1'024'000);
  CHECK(memory.available_bytes == 256'000);
  CHECK(memory.swap_used_bytes == 40 * 1024);
  CHECK(memory.stall_percent == 12.5);
}

TEST_CASE("this machine's memory is read") {
  const MemoryReading memory = open_sensors()->memory();
  CHECK(memory.total_bytes > 0);
  CHECK(memory.available_bytes > 0);
  CHECK(memory.available_bytes <= memory.total_bytes);
}

TEST_SUITE_END();

}  // namespace toolkit::platform
