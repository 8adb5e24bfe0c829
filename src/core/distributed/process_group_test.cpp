#include "core/distributed/process_group.h"

#include <doctest/doctest.h>

#include "mlx/mlx.h"

using namespace toolkit::distributed;

// Groups of several processes: tests/training/distributed.py.
TEST_SUITE("unit") {
  TEST_CASE("a process alone leads, its sums are its own and it agrees with itself") {
    const ProcessGroup group;
    CHECK(group.alone());
    CHECK(group.leads());
    CHECK(group.transport().empty());
    const mx::array x({1.0f, 2.0f});
    CHECK(mx::array_equal(group.sum(std::vector<mx::array>{x})[0], x).item<bool>());
    CHECK(group.sum(std::vector<double>{0.1, 3.0}) == std::vector<double>{0.1, 3.0});
    CHECK_NOTHROW(group.check_same("settings", "a"));
    CHECK_NOTHROW(group.check_same("parameters", std::vector<mx::array>{x}));
  }
}
