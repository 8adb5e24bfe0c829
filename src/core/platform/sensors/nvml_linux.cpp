#include "core/platform/sensors/nvml_linux.h"

#include <dlfcn.h>

#include <algorithm>

namespace toolkit::platform {

/// The functions that are needed, as NVML's documentation declares them; 0 is success.
struct Nvml::Library {
  struct Utilization {
    unsigned gpu, memory;
  };
  struct Memory {
    unsigned long long total, free, used;
  };
  void* handle = nullptr;
  int (*init)() = nullptr;
  int (*shutdown)() = nullptr;
  int (*count)(unsigned*) = nullptr;
  int (*device)(unsigned, void**) = nullptr;
  int (*name)(void*, char*, unsigned) = nullptr;
  int (*utilization)(void*, Utilization*) = nullptr;
  int (*memory)(void*, Memory*) = nullptr;
  int (*temperature)(void*, int, unsigned*) = nullptr;
  int (*power)(void*, unsigned*) = nullptr;
  bool ready = false;

  template <class Function>
  void find(Function& function, const char* symbol) {
    function = reinterpret_cast<Function>(::dlsym(handle, symbol));
  }
  std::vector<void*> devices() const;
};

std::vector<void*> Nvml::Library::devices() const {
  std::vector<void*> found;
  unsigned devices_count = 0;
  if (!ready || count(&devices_count) != 0) return found;
  for (unsigned at = 0; at < std::min(devices_count, 64u); ++at)
    if (void* one = nullptr; device(at, &one) == 0) found.push_back(one);
  return found;
}

Nvml::Nvml(const std::string& library) : library_(std::make_unique<Library>()) {
  Library& nvml = *library_;
  nvml.handle = ::dlopen(library.c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (!nvml.handle) return;
  nvml.find(nvml.init, "nvmlInit_v2");
  nvml.find(nvml.shutdown, "nvmlShutdown");
  nvml.find(nvml.count, "nvmlDeviceGetCount_v2");
  nvml.find(nvml.device, "nvmlDeviceGetHandleByIndex_v2");
  nvml.find(nvml.name, "nvmlDeviceGetName");
  nvml.find(nvml.utilization, "nvmlDeviceGetUtilizationRates");
  nvml.find(nvml.memory, "nvmlDeviceGetMemoryInfo");
  nvml.find(nvml.temperature, "nvmlDeviceGetTemperature");
  nvml.find(nvml.power, "nvmlDeviceGetPowerUsage");
  nvml.ready = nvml.init && nvml.shutdown && nvml.count && nvml.device && nvml.init() == 0;
}

Nvml::~Nvml() {
  if (library_->ready) library_->shutdown();
  if (library_->handle) ::dlclose(library_->handle);
}

std::vector<GpuReading> Nvml::gpus() const {
  std::vector<GpuReading> readings;
  const Library& nvml = *library_;
  for (void* device : nvml.devices()) {
    GpuReading gpu{.name = "NVIDIA GPU"};
    char name[128] = {};
    if (nvml.name && nvml.name(device, name, sizeof name - 1) == 0) gpu.name = name;
    Library::Utilization use{};
    if (nvml.utilization && nvml.utilization(device, &use) == 0) gpu.use_percent = use.gpu;
    Library::Memory memory{};
    if (nvml.memory && nvml.memory(device, &memory) == 0) {
      gpu.memory_used_bytes = static_cast<int64_t>(memory.used);
      gpu.memory_total_bytes = static_cast<int64_t>(memory.total);
    }
    unsigned milliwatts = 0;
    if (nvml.power && nvml.power(device, &milliwatts) == 0) gpu.power_w = milliwatts / 1000.0;
    readings.push_back(std::move(gpu));
  }
  return readings;
}

std::optional<double> Nvml::temperature_c() const {
  constexpr int kGpuSensor = 0;
  std::vector<double> found;
  for (void* device : library_->devices())
    if (unsigned celsius = 0;
        library_->temperature && library_->temperature(device, kGpuSensor, &celsius) == 0)
      found.push_back(celsius);
  return mean_temperature(found);
}

}  // namespace toolkit::platform
