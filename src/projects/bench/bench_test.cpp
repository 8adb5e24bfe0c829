#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/base/interrupt.h"
#include "core/base/subprocess.h"
#include "core/base/testing.h"
#include "projects/bench/finetune_bench.h"
#include "projects/bench/finetune_runs.h"
#include "projects/bench/results.h"

namespace toolkit::bench {
namespace {

namespace fs = std::filesystem;
using testing::contains;
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

  TEST_CASE("finetune: the runs are those of --methods and what --only names may be of any") {
    const auto names = [](const FinetuneConfig& config) {
      std::vector<std::string> all;
      for (const Run& run : finetune_runs(config, "rows")) all.push_back(run.name);
      return all;
    };
    const auto has = [](const std::vector<std::string>& all, const std::string& name) {
      return std::count(all.begin(), all.end(), name) == 1;
    };
    FinetuneConfig config;
    CHECK(names(config) == std::vector<std::string>{"toolkit f32", "toolkit bf16", "toolkit int8",
                                                    "toolkit f32 unshared",
                                                    "toolkit int8 unshared"});
    config.methods = {"dora", "full"};
    CHECK(names(config) == std::vector<std::string>{"toolkit dora f32", "toolkit full f32"});
    config.peers = true;
    CHECK(names(config) == std::vector<std::string>{"toolkit dora f32", "PEFT dora f32 padded",
                                                    "toolkit full f32", "torch full f32 padded",
                                                    "torch full f32 packed"});
    config.only = {"PEFT qlora f32 padded"};
    for (const std::string& method : finetune_methods())
      CHECK(has(names(config), baseline_of_method(method)));
    CHECK(has(names(config), "toolkit f32"));
    // --only splits at commas.
    for (const std::string& name : names(config)) CHECK(name.find(',') == std::string::npos);
    CHECK(baseline_of_method("vera").empty());
  }

  TEST_CASE("finetune: a run stands beside the peer of its method and beside our LoRA") {
    const auto run = [](const char* method, double rate) {
      return nlohmann::json{{"method", method}, {"tokens_per_second", rate}};
    };
    const nlohmann::json results = {{"runs",
                                     {{"toolkit f32", run("lora", 400)},
                                      {"toolkit dora f32", run("dora", 360)},
                                      {"PEFT dora f32 padded", run("dora", 100)},
                                      {"toolkit full f32", run("full", 200)},
                                      {"broken", {{"error", "x"}}}}}};
    std::string table = finetune_table(results);
    std::erase(table, ' ');
    CHECK(contains(table, "|toolkitdoraf32|360.0|3.60|0.90|"));
    CHECK(contains(table, "|PEFTdoraf32padded|100.0|1.00|0.25|"));
    CHECK(contains(table, "|toolkitfullf32|200.0||0.50|"));
    CHECK(contains(table, "|broken(failed)||||"));
  }

  TEST_CASE("the table compares with the baseline") {
    const nlohmann::json results = {{"runs", {{"ours", {{"s", 30.0}}}, {"theirs", {{"s", 10.0}}}}}};
    const std::string table = table_of(results, {{"speed", "s", 1}, times("theirs", "s")});
    CHECK(table.find("30.0") != std::string::npos);
    CHECK(table.find("3.00") != std::string::npos);
    CHECK(table.find("times theirs") != std::string::npos);
  }
}

}  // namespace
}  // namespace toolkit::bench
