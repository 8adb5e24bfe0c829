#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace toolkit::platform {

struct Hardware {
  std::string os;   // "Debian GNU/Linux 12", "macOS 15.2"
  std::string cpu;  // "Apple M3 Pro", "Intel(R) Xeon(R) ..."
  int cores = 0;    // usable by this process (affinity and cgroup limits counted)
  std::vector<std::string>
      instruction_sets;      // "avx2", "avx512f", "avx512_vnni", "neon", "dotprod", ...
  int64_t memory_bytes = 0;  // usable (cgroup limit counted)
  std::string gpu;           // name, or ""
  int gpu_cores = 0;         // Apple GPUs; 0: unknown
  int64_t gpu_memory_bytes = 0;
  bool unified_memory = false;
  bool neural_engine = false;
};

Hardware detect_hardware();

/// Resident memory of this process now, its highest so far, and what the machine can still give.
int64_t resident_bytes();
int64_t peak_resident_bytes();
int64_t available_memory_bytes();

/// What this process has allocated and not freed. Unlike the resident memory it doesn't count what
/// the allocator keeps, so it is flat where nothing leaks. Of the sanitizer's heap, where one runs.
int64_t allocated_bytes();

}  // namespace toolkit::platform
