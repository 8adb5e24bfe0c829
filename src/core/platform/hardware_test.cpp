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

  TEST_CASE("hardware: allocated memory falls when it is freed") {
    const int64_t before = allocated_bytes();
    CHECK(before > 0);
    {
      const std::vector<char> large(size_t{64} << 20, 1), small(size_t{1} << 12, 1);
      const int64_t grown = allocated_bytes() - before;
      CHECK(grown >= int64_t{64} << 20);
      CHECK(grown < int64_t{66} << 20);
      CHECK(large.back() + small.back() == 2);
    }
    CHECK(allocated_bytes() - before < int64_t{1} << 20);
  }
}
