#include "core/report/run_log.h"

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/base/atomic_file.h"
#include "core/base/testing.h"

namespace fs = std::filesystem;
using toolkit::read_file;
using toolkit::report::make_file_run_log;

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

  TEST_CASE("run_log: half a line of a killed run stays on its own line") {
    RunFolder folder;
    fs::create_directories(folder.path);
    toolkit::write_file_atomically(folder.path / "metrics.jsonl", "{\"step\":1}\n{\"st");
    make_file_run_log(folder.path, "x")->metric("loss", 2, 1);
    CHECK(
        read_file(folder.path / "metrics.jsonl").starts_with("{\"step\":1}\n{\"st\n{\"step\":2,"));
  }

  TEST_CASE("run_log: a folder that cannot be made is an io error") {
    RunFolder folder;
    toolkit::write_file_atomically(folder.path, "a file");
    CHECK_THROWS_AS(make_file_run_log(folder.path / "x", "x"), toolkit::Error);
  }
}
