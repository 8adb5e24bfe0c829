#include "core/distributed/watchdog.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <future>

#include "core/base/error.h"

using namespace toolkit;
using namespace toolkit::distributed;

TEST_SUITE("unit") {
  TEST_CASE("a wait that ends in time says nothing and one that does not is told once") {
    int calls = 0;
    {
      const Watchdog quick(std::chrono::hours(1), [&] { ++calls; });
    }
    CHECK(calls == 0);
    std::promise<void> told;
    {
      const Watchdog slow(std::chrono::milliseconds(1), [&] {
        ++calls;
        told.set_value();
      });
      told.get_future().wait();
    }
    CHECK(calls == 1);
  }

  TEST_CASE("the time processes wait for each other can be set") {
    ::unsetenv("MLX_TOOLKIT_PEER_TIMEOUT");
    CHECK(peer_timeout().count() == 600);
    ::setenv("MLX_TOOLKIT_PEER_TIMEOUT", "20", 1);
    CHECK(peer_timeout().count() == 20);
    ::setenv("MLX_TOOLKIT_PEER_TIMEOUT", "soon", 1);
    CHECK_THROWS_AS(peer_timeout(), Error);
    ::unsetenv("MLX_TOOLKIT_PEER_TIMEOUT");
  }
}
