// NVML's functions (NVML API reference) answered as by two GPUs; the second tells neither its use
// nor its temperature.

#include <cstring>

extern "C" {

int nvmlInit_v2() {
  return 0;
}
int nvmlShutdown() {
  return 0;
}
int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = 2;
  return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  static int devices[2];
  *device = &devices[index];
  static_cast<int*>(*device)[0] = static_cast<int>(index);
  return 0;
}
int nvmlDeviceGetName(void* device, char* name, unsigned length) {
  std::strncpy(name, *static_cast<int*>(device) == 0 ? "NVIDIA H200" : "NVIDIA T400", length);
  return 0;
}
int nvmlDeviceGetUtilizationRates(void* device, unsigned* gpu_and_memory) {
  if (*static_cast<int*>(device) != 0) return 3;  // not supported
  gpu_and_memory[0] = 87;
  gpu_and_memory[1] = 40;
  return 0;
}
int nvmlDeviceGetMemoryInfo(void*, unsigned long long* total_free_used) {
  total_free_used[0] = 16'000'000'000;
  total_free_used[1] = 12'000'000'000;
  total_free_used[2] = 4'000'000'000;
  return 0;
}
int nvmlDeviceGetTemperature(void* device, int sensor, unsigned* celsius) {
  if (*static_cast<int*>(device) != 0 || sensor != 0) return 3;
  *celsius = 61;
  return 0;
}
int nvmlDeviceGetPowerUsage(void* device, unsigned* milliwatts) {
  if (*static_cast<int*>(device) != 0) return 3;
  *milliwatts = 312'500;
  return 0;
}
}
