#include "core/platform/hardware.h"

#include <doctest/doctest.h>

#include <vector>

using namespace toolkit::platform;

TEST_SUITE("unit") {
  TEST_CASE("hardware: this machine is described") {
    const Hardware hardware = detect_hardware();
    CHECK(!hardware.os.empty());
    CHECK(!hardware.cpu.empty());
    CHECK(hardware.cores >= 1);
    CHECK(hardware.memory_bytes > (int64_t{1} << 28));
#if defined(__x86_64__) || defined(__aarch64__)
    CHECK(!hardware.instruction_sets.empty());
#endif
  }

  TEST_CASE("hardware: resident memory follows what is touched, the peak stays") {
    const int64_t before = resident_bytes();
    CHECK(before > 0);
    {
      std::vector<char> block(size_t{64} << 20, 1);
      CHECK(resident_bytes() >= before + (int64_t{60} << 20));
      CHECK(block[block.size() / 2] == 1);
    }
    CHECK(peak_resident_bytes() >= before + (int64_t{60} << 20));
    CHECK(available_memory_bytes() > 0);
  }
}
