#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/base/interrupt.h"
#include "core/base/subprocess.h"
#include "core/base/testing.h"
#include "projects/bench/results.h"

namespace toolkit::bench {
namespace {

namespace fs = std::filesystem;
using testing::TestingFolder;

TEST_SUITE("unit") {
  TEST_CASE("an interrupt of the parent alone ends the child and the runs after it") {
    const TestingFolder folder;
    const fs::path started = folder.path / "started", ended = folder.path / "ended";
    std::thread sender([&] {
      while (!fs::exists(started)) std::this_thread::sleep_for(std::chrono::milliseconds(5));
      ::kill(::getpid(), SIGINT);
    });
    Config config;
    config.output = folder.path.string();
    bool went_on = false;
    const std::string script = "trap 'touch " + ended.string() + "; exit 1' INT; touch " +
                               started.string() + "; while :; do sleep 0.02; done";
    const std::vector<Run> runs = {
        {"one", [&] { return run_for_json({"sh", "-c", script}, folder.path / "log"); }},
        {"two", [&] {
           went_on = true;
           return nlohmann::json{{"speed", 2.0}};
         }}};
    const InterruptGuard guard;  // a signal that comes late must not end the test
    CHECK_THROWS_WITH_AS(measure_runs(config, "x", {}, runs, [](const std::string&) {}),
                         doctest::Contains("interrupted"), Error);
    sender.join();
    InterruptGuard::clear();
    CHECK(fs::exists(ended));
    CHECK_FALSE(went_on);
  }

  TEST_CASE("results of other runs are kept, failures recorded, names checked") {
    const TestingFolder folder;
    Config config;
    config.output = folder.path.string();
    const std::vector<Run> runs = {
        {"one", [] { return nlohmann::json{{"speed", 2.0}}; }},
        {"two", []() -> nlohmann::json { fail(ErrorKind::kIo, "broken"); }}};
    const auto quiet = [](const std::string&) {};
    const auto first = measure_runs(config, "x", {{"rows", 1}}, runs, quiet);
    CHECK(first["runs"]["two"]["error"] == "broken");
    CHECK(first["ok"] == false);
    config.only = {"one"};
    const auto again = measure_runs(config, "x", {{"rows", 1}}, runs, quiet);
    CHECK(again["runs"].size() == 2);
    CHECK(again["ok"] == true);
    CHECK(measure_runs(config, "x", {{"rows", 2}}, runs, quiet)["runs"].size() == 1);
    config.only = {"three"};
    CHECK_THROWS_WITH_AS(measure_runs(config, "x", {}, runs, quiet),
                         doctest::Contains("there are: one, two"), Error);
    config = {.output = config.output, .peers = true, .peers_python = "/no/such/python"};
    CHECK_THROWS_WITH_AS(measure_runs(config, "x", {}, runs, quiet),
                         doctest::Contains("scripts/setup --peers"), Error);
  }

  TEST_CASE("the table compares with the baseline") {
    const nlohmann::json results = {{"runs", {{"ours", {{"s", 30.0}}}, {"theirs", {{"s", 10.0}}}}}};
    const std::string table = table_of(results, {{"speed", "s", 1}}, "s", "theirs");
    CHECK(table.find("30.0") != std::string::npos);
    CHECK(table.find("3.00") != std::string::npos);
    CHECK(table.find("times theirs") != std::string::npos);
  }
}

}  // namespace
}  // namespace toolkit::bench
