#include "engine/measure/machine_rates.h"

#include <doctest/doctest.h>

#include "core/base/atomic_file.h"
#include "core/base/testing.h"

namespace fs = std::filesystem;
using namespace toolkit::engine;
using toolkit::testing::TestingFolder;

TEST_SUITE("unit") {
  TEST_CASE("rates: remembered per machine, again on request, anew when the file is broken") {
    const TestingFolder folder;
    const fs::path file = folder.path / "home" / "machine.json";
    int calls = 0;
    const auto now = [&] {
      return MachineRates{.matrix_product = 1.0 * ++calls, .linear = {{"f32", 2}}};
    };
    CHECK(remembered_rates(file, "a", false, now).matrix_product == 1);
    const MachineRates second = remembered_rates(file, "a", false, now);
    CHECK(second.matrix_product == 1);
    CHECK(second.linear.at("f32") == 2);
    CHECK(second.when.size() == 20);
    CHECK(remembered_rates(file, "b", false, now).matrix_product == 2);
    CHECK(remembered_rates(file, "a", true, now).matrix_product == 3);
    CHECK(remembered_rates(file, "b", false, now).matrix_product == 2);
    toolkit::write_file_atomically(file, "{\"a\": 7");
    CHECK(remembered_rates(file, "a", false, now).matrix_product == 4);
    CHECK(remembered_rates(file, "a", false, now).matrix_product == 4);
    toolkit::write_file_atomically(file, "[]");
    CHECK(remembered_rates(file, "a", false, now).matrix_product == 5);
    CHECK(calls == 5);
  }

  TEST_CASE("rates: a home that cannot be written to does not matter") {
    const TestingFolder folder;
    folder.write("home", "a file");
    CHECK(remembered_rates(folder.path / "home" / "machine.json", "a", false, [] {
            return MachineRates{.matrix_product = 7};
          }).matrix_product == 7);
  }
}
