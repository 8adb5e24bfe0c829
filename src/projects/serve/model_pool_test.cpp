#include "projects/serve/model_pool.h"

#include <doctest/doctest.h>

#include <chrono>
#include <thread>

#include "core/base/testing.h"
#include "projects/serve/served_for_tests.h"

using namespace toolkit;
using namespace toolkit::serve;
using namespace toolkit::serve::testing;
using toolkit::testing::contains;

TEST_SUITE("unit") {
  TEST_CASE("no room for a model is told with numbers") {
    Served served;
    served.planned_bytes = 5'000'000'000;
    const Reply reply = served.post("/v1/chat/completions", chat());
    CHECK(reply.status == 507);
    CHECK(contains(reply.body, "needs 5.00 GB"));
  }

  TEST_CASE("a model does without what only makes it fast where memory is short") {
    for (const int64_t speed : {200, 2000}) {
      Served served;
      served.speed_bytes = speed;
      CHECK(served.post("/v1/chat/completions", chat()).status == 200);
      CHECK(served.script->fast == (speed == 200));
      CHECK(served.service.pool.loaded()[0].size_bytes == (speed == 200 ? 210 : 10));
    }
  }

  TEST_CASE("a model that nobody uses goes when other programs take the memory") {
    Served served;
    CHECK(served.post("/v1/chat/completions", chat()).status == 200);
    CHECK(served.service.pool.loaded().size() == 1);
    served.available_bytes = 50;
    for (int i = 0; i < 500 && !served.service.pool.loaded().empty(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    CHECK(served.service.pool.loaded().empty());
  }

  TEST_CASE("adapters count as memory of their model") {
    Served served;
    served.script->state = {.adapter_bytes = 7};
    CHECK(served.post("/v1/chat/completions", chat()).status == 200);
    CHECK(served.service.pool.loaded()[0].size_bytes == 17);
  }

  TEST_CASE("memory that a cache may still fill is not promised twice") {
    Served served;
    served.script->state = {.cache_bytes_used = 100, .cache_bytes_limit = 1000};
    CHECK(served.post("/v1/chat/completions", chat()).status == 200);
    CHECK(served.service.pool.free_bytes() == 100);
  }
}
