#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/base/error.h"

/// What libFuzzer calls with bytes it made up; fuzz/replay_main.cpp calls the same function.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace toolkit::fuzz {

/// Runs what is under test. The only way out besides returning is Error, and never one of our own
/// bugs: anything else ends the program, which is what the fuzzer looks for.
template <class Run>
int expect_no_crash(Run&& run) {
  try {
    run();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kInternal) throw;
  }
  return 0;
}

/// The bytes as a file, for readers that want a path; the same file each time.
inline std::filesystem::path as_file(const uint8_t* data, size_t size, const char* name) {
  static const std::filesystem::path folder = [] {
    const char* memory = "/dev/shm";
    auto made =
        (std::filesystem::is_directory(memory) ? memory : std::filesystem::temp_directory_path()) /
        std::filesystem::path("toolkit_fuzz_" + std::to_string(::getpid()));
    std::filesystem::create_directories(made);
    return made;
  }();
  std::ofstream(folder / name, std::ios::binary)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  return folder / name;
}

inline std::string as_text(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace toolkit::fuzz
