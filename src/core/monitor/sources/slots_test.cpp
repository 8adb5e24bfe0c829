#include "core/monitor/sources/slots.h"

#include "core/base/testing.h"
#include "core/monitor/sources/metrics_text.h"

namespace toolkit::monitor {

namespace {

/// As llama-server (b4500 and later) answers, with its debug option: texts are there, too.
Json slots_answer(int64_t decoded, bool is_processing = true, int64_t task = 7) {
  return Json::array({{{"id", 0},
                       {"id_task", task},
                       {"n_ctx", 4096},
                       {"is_processing", is_processing},
                       {"n_prompt_tokens", 31},
                       {"n_prompt_tokens_processed", 31},
                       {"prompt", "my secret"},
                       {"params", {{"temperature", 0.8}}},
                       {"next_token", {{{"n_decoded", decoded}, {"n_remain", -1}}}}}});
}

}  // namespace

TEST_SUITE_BEGIN("unit");

TEST_CASE("slots of newer and older llama-server builds") {
  const auto newer = slots_of(slots_answer(12));
  REQUIRE(newer.size() == 1);
  CHECK(newer[0].decoded_tokens == 12);
  CHECK(newer[0].context_length == 4096);
  CHECK(newer[0].prompt_tokens == 31);
  const auto older = slots_of(Json::parse(
      R"([{"id": 1, "id_task": 3, "is_processing": true, "next_token": {"n_decoded": 5}}])"));
  REQUIRE(older.size() == 1);
  CHECK(older[0].decoded_tokens == 5);
  CHECK(slots_of(Json::parse(R"([3, {"no": 1}, {"id": "x", "next_token": []}])")).size() == 1);
  CHECK(slots_of(Json::parse(R"({"error": 501})")).empty());
}

TEST_CASE("a slot's speed is counted from look to look and its end is told once") {
  SlotMeter meter("http://s", "");
  ServerState state;
  meter.look(10, slots_of(slots_answer(0)), "m", state);
  REQUIRE(state.running.size() == 1);
  CHECK(state.running[0].reading_prompt);
  CHECK(!state.running[0].tokens_per_second);
  CHECK(state.running[0].quality == Quality::kUnknown);
  for (int look = 1; look <= 4; ++look) {
    state = {};
    meter.look(10 + 0.5 * look, slots_of(slots_answer(20 * look)), "m", state);
  }
  CHECK(state.running[0].tokens_per_second.value() == doctest::Approx(40));
  CHECK(state.running[0].quality == Quality::kLive);
  CHECK(state.running[0].tokens == 80);
  state = {};
  meter.look(12.5, slots_of(slots_answer(96, false)), "m", state);
  CHECK(state.running.empty());
  REQUIRE(state.finished.size() == 1);
  CHECK(state.finished[0].tokens == 96);
  state = {};
  meter.look(13, slots_of(slots_answer(96, false)), "m", state);
  CHECK(state.finished.empty());
}

TEST_CASE("a newer server shows at the end only what a slot holds") {
  // As llama-server answered (build 1, commit 0c1e570): prompt 38, answer of 400.
  const auto answer = [](int64_t held, int64_t decoded, bool is_processing) {
    return slots_of(Json::array({{{"id", 1},
                                  {"id_task", 6},
                                  {"is_processing", is_processing},
                                  {"n_prompt_tokens", held},
                                  {"n_prompt_tokens_processed", is_processing ? 38 : 0},
                                  {"next_token", {{{"n_decoded", decoded}}}}}}));
  };
  SlotMeter meter("http://s", "");
  ServerState state;
  meter.look(1.0, answer(45, 7, true), "m", state);
  meter.look(4.023, answer(252, 214, true), "m", state);
  meter.look(6.742, answer(418, 380, true), "m", state);
  CHECK(state.running.back().prompt_tokens == 38);
  meter.look(7.242, answer(437, 0, false), "m", state);
  REQUIRE(state.finished.size() == 1);
  CHECK(state.finished[0].tokens == 399);
  CHECK(state.finished[0].tokens_per_second.value() == doctest::Approx(64.96).epsilon(0.001));
}

TEST_CASE("what cannot have been generated since the last look does not count") {
  SlotMeter meter("http://s", "");
  ServerState state;
  for (const int64_t time_s : {1, 2})
    meter.look(static_cast<double>(time_s),
               {{.id = 0,
                 .task = 1,
                 .is_processing = true,
                 .decoded_tokens = 10 + 50 * time_s,
                 .held_tokens = 30 + 50 * time_s}},
               "m", state);
  meter.look(2.5, {{.id = 0, .task = 1, .held_tokens = 4000}}, "m", state);
  REQUIRE(state.finished.size() == 1);
  CHECK(state.finished[0].tokens == 110);
}

TEST_CASE("a new task in the same slot begins anew") {
  SlotMeter meter("http://s", "");
  ServerState state;
  meter.look(1, slots_of(slots_answer(100)), "m", state);
  meter.look(2, slots_of(slots_answer(200)), "m", state);
  state = {};
  meter.look(3, slots_of(slots_answer(3, true, 8)), "m", state);
  REQUIRE(state.finished.size() == 1);
  CHECK(state.finished[0].tokens == 200);
  REQUIRE(state.running.size() == 1);
  CHECK(!state.running[0].tokens_per_second);
}

TEST_CASE("a meter whose counter or clock goes back begins anew") {
  TokenMeter meter;
  meter.add(1, 100);
  meter.add(2, 150);
  CHECK(meter.per_second() == 50);
  meter.add(3, 20);
  CHECK(!meter.per_second());
  meter.add(2.5, 30);
  CHECK(!meter.per_second());
}

TEST_CASE("requests seen by two ways count once") {
  const auto request = [](Way way, double speed, const char* model = "m") {
    return RunningRequest{.model = model,
                          .server = "s",
                          .way = way,
                          .quality = Quality::kLive,
                          .tokens_per_second = speed};
  };
  const auto one =
      merged({request(Way::kLog, 39), request(Way::kSlots, 40), request(Way::kProxy, 41)});
  REQUIRE(one.size() == 1);
  CHECK(one[0].way == Way::kSlots);
  // The log shows one of the two that the proxy sees.
  CHECK(
      merged({request(Way::kLog, 39), request(Way::kProxy, 20), request(Way::kProxy, 21)}).size() ==
      2);
  CHECK(merged({request(Way::kSlots, 40), request(Way::kSlots, 10, "n")}).size() == 2);
}

TEST_CASE("the sum of speeds has the weakest quality and stays unknown without any") {
  RunningRequest fast{.quality = Quality::kExact, .tokens_per_second = 30};
  RunningRequest guessed{.quality = Quality::kEstimated, .tokens_per_second = 5};
  RunningRequest silent;
  const Speed both = total_speed({fast, guessed, silent});
  CHECK(both.tokens_per_second == 35);
  CHECK(both.quality == Quality::kEstimated);
  CHECK(!total_speed({silent}).tokens_per_second);
}

TEST_CASE("Prometheus' text") {
  const auto metrics = parse_metrics(
      "# HELP x y\n# TYPE llamacpp:tokens_predicted_total counter\n"
      "llamacpp:tokens_predicted_total 1234\n"
      "requests_total{model=\"a \\\"b\\\" \\\\ c\",code=\"200\"} 3 1700000000\n"
      "requests_total{code=\"500\"} 2\nbroken{a=\"b 3\nnan_one NaN\nnothing\n");
  REQUIRE(metrics.size() == 3);
  CHECK(metric_sum(metrics, "llamacpp:tokens_predicted_total") == 1234);
  CHECK(metric_sum(metrics, "requests_total") == 5);
  CHECK(metrics[1].labels.at("model") == "a \"b\" \\ c");
  CHECK(metric_sum(metrics, "none", -1) == -1);
}

TEST_SUITE_END();

}  // namespace toolkit::monitor
