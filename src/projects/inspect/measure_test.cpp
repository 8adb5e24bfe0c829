#include "projects/inspect/measure.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include "core/base/atomic_file.h"

namespace fs = std::filesystem;
using namespace toolkit::inspect;

namespace {

struct TemporaryFolder {
  fs::path path = fs::temp_directory_path() / ("measure_test-" + std::to_string(::getpid()));
  ~TemporaryFolder() { fs::remove_all(path); }
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("measure: remembered per machine, again on request, anew when the file is broken") {
    TemporaryFolder folder;
    const fs::path file = folder.path / "home" / "machine.json";
    int calls = 0;
    const auto now = [&] {
      return Measured{.matrix_product = 1.0 * ++calls, .linear = {{"f32", 2}}};
    };
    CHECK(remembered(file, "a", false, now).matrix_product == 1);
    const Measured second = remembered(file, "a", false, now);
    CHECK(second.matrix_product == 1);
    CHECK(second.linear.at("f32") == 2);
    CHECK(second.when.size() == 20);
    CHECK(remembered(file, "b", false, now).matrix_product == 2);
    CHECK(remembered(file, "a", true, now).matrix_product == 3);
    CHECK(remembered(file, "b", false, now).matrix_product == 2);
    toolkit::write_file_atomically(file, "{\"a\": 7");
    CHECK(remembered(file, "a", false, now).matrix_product == 4);
    CHECK(remembered(file, "a", false, now).matrix_product == 4);
    toolkit::write_file_atomically(file, "[]");
    CHECK(remembered(file, "a", false, now).matrix_product == 5);
    CHECK(calls == 5);
  }

  TEST_CASE("measure: a home that cannot be written to does not matter") {
    TemporaryFolder folder;
    toolkit::write_file_atomically(folder.path, "a file");
    CHECK(remembered(folder.path / "x" / "machine.json", "a", false, [] {
            return Measured{.matrix_product = 7};
          }).matrix_product == 7);
  }
}
