#include "core/platform/nvidia_linux.h"

#include <dlfcn.h>

namespace toolkit::platform {

namespace {

/// The few functions of NVML that are needed, as its documentation declares them; 0 is success.
struct Nvml {
  struct Memory {
    unsigned long long total, free, used;
  };
  void* library = ::dlopen("libnvidia-ml.so.1", RTLD_LAZY | RTLD_LOCAL);
  int (*init)() = symbol<int (*)()>("nvmlInit_v2");
  int (*shutdown)() = symbol<int (*)()>("nvmlShutdown");
  int (*handle)(unsigned,
                void**) = symbol<int (*)(unsigned, void**)>("nvmlDeviceGetHandleByIndex_v2");
  int (*name)(void*, char*,
              unsigned) = symbol<int (*)(void*, char*, unsigned)>("nvmlDeviceGetName");
  int (*memory)(void*, Memory*) = symbol<int (*)(void*, Memory*)>("nvmlDeviceGetMemoryInfo");

  Nvml() = default;
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;
  ~Nvml() {
    if (library) ::dlclose(library);
  }

  bool complete() const { return init && shutdown && handle && name && memory; }

 private:
  template <class Function>
  Function symbol(const char* symbol_name) {
    return library ? reinterpret_cast<Function>(::dlsym(library, symbol_name)) : nullptr;
  }
};

}  // namespace

std::optional<NvidiaGpu> first_nvidia_gpu() {
  const Nvml nvml;
  if (!nvml.complete() || nvml.init() != 0) return std::nullopt;
  std::optional<NvidiaGpu> gpu;
  void* device = nullptr;
  char name[128] = {};
  Nvml::Memory memory{};
  if (nvml.handle(0, &device) == 0 && nvml.name(device, name, sizeof name - 1) == 0) {
    gpu.emplace(NvidiaGpu{.name = name});
    if (nvml.memory(device, &memory) == 0) gpu->memory_bytes = static_cast<int64_t>(memory.total);
  }
  nvml.shutdown();
  return gpu;
}

}  // namespace toolkit::platform
