#include "core/model_store/utc_time.h"

#include <doctest/doctest.h>

namespace toolkit::model_store {

TEST_SUITE("unit") {
  TEST_CASE("moments there and back") {
    CHECK(utc_text(0) == "1970-01-01T00:00:00Z");
    CHECK(utc_text(1795275868) == "2026-11-21T15:44:28Z");
    for (const int64_t moment : {int64_t{0}, int64_t{951782400}, int64_t{1795275868}})
      CHECK(parse_utc(utc_text(moment)) == moment);
    for (const char* bad : {"", "2026-11-21", "2026-02-30T00:00:00Z", "2026-11-21T25:00:00Z",
                            "2026-11-21T15:44:28", "2026-11-21T15:44:28Zx", "2026-1-21T15:44:28Z"})
      CHECK_MESSAGE(!parse_utc(bad), bad);
  }

  TEST_CASE("ages in words") {
    const int64_t now = 1795275868;
    const auto age = [&](int64_t days) { return shown_age(utc_text(now - days * 86400), now); };
    CHECK(age(0) == "today");
    CHECK(age(1) == "yesterday");
    CHECK(age(45) == "45 days ago");
    CHECK(age(90) == "3 months ago");
    CHECK(age(1000) == "2 years ago");
    CHECK(shown_age("", now) == "never");
  }
}

}  // namespace toolkit::model_store
