#include "core/report/run_log.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/base/atomic_file.h"
#include "core/base/testing.h"

namespace fs = std::filesystem;
using toolkit::read_file;
using namespace toolkit::report;

namespace {

/// The folder of a run, not made yet.
struct RunFolder {
  const toolkit::testing::TestingFolder above;
  fs::path path = above.path / "run";
  nlohmann::json run() const { return nlohmann::json::parse(read_file(path / "run.json")); }
  std::vector<nlohmann::json> metrics() const {
    std::istringstream text(read_file(path / "metrics.jsonl"));
    std::vector<nlohmann::json> lines;
    for (std::string line; std::getline(text, line);) lines.push_back(nlohmann::json::parse(line));
    return lines;
  }
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("run_log: start, metrics and end are on disk as they happen") {
    RunFolder folder;
    auto log = make_file_run_log(folder.path / "", "finetune");
    CHECK(folder.run()["status"] == "running");
    log->parameters({{"rank", 8}});
    log->metric("loss", 1, 2.5);
    log->metric("loss", 2, std::nan(""));
    CHECK(folder.metrics().size() == 2);
    CHECK(folder.metrics()[0]["name"] == "loss");
    CHECK(folder.metrics()[0]["step"] == 1);
    CHECK(folder.metrics()[0]["value"] == 2.5);
    CHECK(folder.metrics()[1]["value"].is_null());
    log->artifact("out/adapters.safetensors", "the adapter");
    log->finish("succeeded", {{"steps", 2}});
    log.reset();
    const nlohmann::json run = folder.run();
    CHECK(run["kind"] == "finetune");
    CHECK(run["status"] == "succeeded");
    CHECK(run["parameters"]["rank"] == 8);
    CHECK(run["summary"]["steps"] == 2);
    CHECK(run["artifacts"][0]["path"] == "out/adapters.safetensors");
    CHECK(run["started"].get<std::string>().size() == 20);
    CHECK(run["seconds"] >= 0);
  }

  TEST_CASE("run_log: a log that was not finished says failed") {
    RunFolder folder;
    make_file_run_log(folder.path, "finetune").reset();
    CHECK(folder.run()["status"] == "failed");
  }

  TEST_CASE("run_log: a resumed run keeps id and metrics and goes on below half a line") {
    RunFolder folder;
    const auto first = open_run({.kind = "x", .folder = folder.path}).start;
    CHECK(first.id.size() == 6);
    CHECK(folder.run()["id"] == first.id);
    toolkit::write_file_atomically(folder.path / "metrics.jsonl", "{\"step\":1}\n{\"st");
    const auto again = open_run({.kind = "x", .folder = folder.path, .resume = true});
    again.log->metric("loss", 2, 1);
    CHECK(again.start.id == first.id);
    CHECK(again.start.started == first.started);
    CHECK(
        read_file(folder.path / "metrics.jsonl").starts_with("{\"step\":1}\n{\"st\n{\"step\":2,"));
    // Without resume the folder holds another run.
    CHECK(open_run({.kind = "x", .folder = folder.path}).start.id != first.id);
    CHECK(read_file(folder.path / "metrics.jsonl").empty());
  }

  TEST_CASE("run_log: listeners hear everything and one that fails is left out") {
    struct Heard : RunLog {
      std::vector<std::string>& words;
      bool broken;
      Heard(std::vector<std::string>& list, bool fails) : words(list), broken(fails) {}
      void say(const std::string& word) {
        words.push_back(word);
        if (broken) toolkit::fail(toolkit::ErrorKind::kIo, "disk full");
      }
      void parameters(const nlohmann::json&) override { say("parameters"); }
      void metric(const std::string& name, int64_t, double) override { say(name); }
      void artifact(const fs::path&, const std::string&) override { say("artifact"); }
      void finish(const std::string& status, const nlohmann::json&) override { say(status); }
    };
    static std::vector<std::string> good, bad;
    static bool listening = false;
    static RunStart heard;
    listening = true;
    listen_to_runs([](const RunStart& start) -> std::unique_ptr<RunLog> {
      if (!listening) return nullptr;
      heard = start;
      return std::make_unique<Heard>(good, false);
    });
    listen_to_runs([](const RunStart&) -> std::unique_ptr<RunLog> {
      return listening ? std::make_unique<Heard>(bad, true) : nullptr;
    });
    RunFolder folder;
    {
      const auto run = open_run({.kind = "x", .folder = folder.path});
      CHECK(heard.id == run.start.id);
      run.log->parameters({});
      run.log->metric("loss", 1, 2);
      run.log->artifact("a", "b");
      run.log->finish("succeeded", {});
    }
    listening = false;
    CHECK(good == std::vector<std::string>{"parameters", "loss", "artifact", "succeeded"});
    CHECK(bad == std::vector<std::string>{"parameters"});
    CHECK(folder.run()["status"] == "succeeded");
  }

  TEST_CASE("run_log: files that cannot be written any more do not end the run") {
    if (!fs::exists("/dev/full")) {
      std::printf("SKIPPED: no /dev/full here\n");
      return;
    }
    RunFolder folder;
    fs::create_directories(folder.path);
    fs::create_symlink("/dev/full", folder.path / "metrics.jsonl");
    const auto log = make_file_run_log(folder.path, "x");
    log->metric("loss", 1, 2);
    log->metric("loss", 2, 2);
    log->finish("succeeded", {});
    CHECK(folder.run()["status"] == "succeeded");
  }

  TEST_CASE("run_log: a folder that cannot be made is an io error") {
    RunFolder folder;
    toolkit::write_file_atomically(folder.path, "a file");
    CHECK_THROWS_AS(make_file_run_log(folder.path / "x", "x"), toolkit::Error);
  }
}
