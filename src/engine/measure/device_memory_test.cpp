#include "engine/measure/device_memory.h"

#include <doctest/doctest.h>

using namespace toolkit::engine;

TEST_SUITE("unit") {
  TEST_CASE("memory of a GPU of its own is what is free there") {
    const DeviceInfo cuda = {
        {"device_name", "one"}, {"free_memory", size_t{70'000}}, {"total_memory", size_t{80'000}}};
    CHECK(available_on(cuda, 10'000) == 70'000);
    CHECK(available_on(cuda, 0) == 70'000);
  }

  TEST_CASE("memory shared with the machine is the less of its working set and what is free") {
    const DeviceInfo metal = {{"memory_size", size_t{16'000}},
                              {"max_recommended_working_set_size", size_t{11'000}}};
    CHECK(available_on(metal, 14'000) == 11'000);
    CHECK(available_on(metal, 9'000) == 9'000);
    CHECK(available_on(metal, 0) == 11'000);
  }

  TEST_CASE("a device that tells nothing leaves what the machine says") {
    CHECK(available_on({{"memory_size", std::string("much")}}, 5'000) == 5'000);
    CHECK(available_on({}, 0) == 0);
    CHECK(available_bytes() >= 0);
  }
}
