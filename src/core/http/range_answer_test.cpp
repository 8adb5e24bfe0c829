#include "core/http/range_answer.h"

#include <doctest/doctest.h>

#include "core/base/testing.h"

using toolkit::http::Header;
using toolkit::http::judge_range_answer;
using toolkit::http::RangeRequest;
using toolkit::http::RangeVerdict;
using toolkit::testing::contains;
using Kind = RangeVerdict::Kind;

namespace {

const RangeRequest kWhole{.begin = 0, .end = 100, .size = 100};
const RangeRequest kMiddle{
    .begin = 40, .end = 60, .size = 100, .etag = "\"v1\"", .only_range = false};

RangeVerdict judge_range(const std::string& content_range) {
  return judge_range_answer(kMiddle, 206, {{"Content-Range", content_range}});
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("range_answer: whole bodies") {
    CHECK(judge_range_answer(kWhole, 200, {{"Content-Length", "100"}}).kind == Kind::kTake);
    CHECK(judge_range_answer(kWhole, 200, {}).take_bytes == 100);
    const RangeVerdict wrong = judge_range_answer(kWhole, 200, {{"Content-Length", "120"}});
    CHECK(wrong.kind == Kind::kRefuse);
    CHECK(contains(wrong.why, "expected 100 bytes as listed, the server sends 120"));
    CHECK(judge_range_answer(kWhole, 200, {{"Content-Length", "-1"}}).kind == Kind::kRefuse);
    CHECK(judge_range_answer(kWhole, 200, {{"content-encoding", "gzip"}}).kind == Kind::kRefuse);
    CHECK(judge_range_answer(kMiddle, 200, {{"Content-Length", "100"}}).kind == Kind::kWholeFile);
    CHECK(judge_range_answer(kMiddle, 200, {{"Content-Length", "20"}}).kind == Kind::kRefuse);
  }

  TEST_CASE("range_answer: ranges must be those that were asked for") {
    CHECK(judge_range("bytes 40-59/100").take_bytes == 20);
    CHECK(judge_range("bytes 40-49/100").take_bytes == 10);  // less is allowed
    CHECK(judge_range("bytes 40-59/*").kind == Kind::kTake);
    for (const char* text :
         {"", "bytes 39-59/100", "bytes 40-60/100", "bytes 41-59/100", "bytes 59-40/100",
          "bytes 40-59/101", "bytes */100", "bytes 40-59", "items 40-59/100", "bytes 40-59/1e2",
          "bytes 99999999999999999999-59/100", "bytes -40-59/100", "bytes 40-59/100 "}) {
      CAPTURE(text);
      CHECK(judge_range(text).kind == Kind::kRefuse);
    }
    CHECK(contains(judge_range("bytes 40-59/101").why, "the server has 101"));
    CHECK(judge_range_answer(kMiddle, 206,
                             {{"Content-Range", "bytes 40-59/100"}, {"Content-Length", "21"}})
              .kind == Kind::kRefuse);
  }

  TEST_CASE("range_answer: another ETag, 412 and 416 mean another content") {
    const std::vector<Header> changed = {{"Content-Range", "bytes 40-59/100"}, {"ETag", "\"v2\""}};
    CHECK(judge_range_answer(kMiddle, 206, changed).kind == Kind::kRestart);
    CHECK(
        judge_range_answer(kMiddle, 206, {{"Content-Range", "bytes 40-59/100"}, {"ETag", "\"v1\""}})
            .kind == Kind::kTake);
    CHECK(judge_range_answer(kMiddle, 412, {}).kind == Kind::kRestart);
    CHECK(judge_range_answer(kMiddle, 416, {{"Content-Range", "bytes */100"}}).kind ==
          Kind::kRestart);
  }

  TEST_CASE("range_answer: the rest") {
    CHECK(judge_range_answer(kWhole, 302, {}).kind == Kind::kRedirect);
    CHECK(judge_range_answer(kWhole, 503, {}).kind == Kind::kRetry);
    CHECK(contains(judge_range_answer(kWhole, 403, {}).why, "gated"));
    CHECK(judge_range_answer(kWhole, 404, {}).kind == Kind::kRefuse);
    CHECK(judge_range_answer(kWhole, 204, {}).kind == Kind::kRefuse);
  }
}
