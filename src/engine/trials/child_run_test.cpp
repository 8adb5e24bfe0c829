#include "engine/trials/child_run.h"

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>

#include "core/base/atomic_file.h"
#include "core/base/testing.h"

namespace toolkit::trials {
namespace {

using testing::contains;
using testing::TestingFolder;

ChildResult run_script(const TestingFolder& folder, const std::string& script) {
  const std::filesystem::path program = folder.write("program", "#!/bin/sh\n" + script);
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  return run_child({.program = program.string(),
                    .arguments = {"finetune", "--steps", "2"},
                    .folder = folder.path,
                    .parent = "abc234"});
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("trials: the last line of a child is its result and its messages are a log") {
    const TestingFolder folder;
    const ChildResult result = run_script(folder,
                                          "echo to the log >&2\necho table\n"
                                          "echo \"{\\\"arguments\\\": \\\"$*\\\", \\\"parent\\\": "
                                          "\\\"$MLX_TOOLKIT_PARENT_RUN\\\"}\"\n");
    CHECK(result.error == "");
    CHECK(result.output["arguments"] == "finetune --steps 2 --json");
    CHECK(result.output["parent"] == "abc234");
    CHECK(result.seconds > 0);
    CHECK_FALSE(result.interrupted);
    CHECK(read_file(folder.path / "finetune.log") == "to the log\n");
  }

  TEST_CASE("trials: a child without a result says why") {
    const TestingFolder folder;
    CHECK(
        run_script(folder, "echo '{\"error\": {\"message\": \"no such model\"}}'; exit 1").error ==
        "no such model");
    CHECK(contains(run_script(folder, "kill -9 $$").error, "out of memory"));
    CHECK(contains(run_script(folder, "kill -15 $$").error, "signal 15"));
    CHECK(contains(run_script(folder, "echo nothing").error, "finetune.log"));
    CHECK(contains(run_script(folder, "echo '{}'; exit 3").error, "status 3"));
  }

  TEST_CASE("trials: a child that reaches its limit is asked to end and says how far it came") {
    const TestingFolder folder;
    const std::filesystem::path program =
        folder.write("program",
                     "#!/bin/sh\ntrap 'echo \"{\\\"steps\\\": 3}\"; exit 130' INT\n"
                     "while :; do sleep 0.02; done\n");
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    const ChildResult result = run_child({.program = program.string(),
                                          .arguments = {"finetune"},
                                          .folder = folder.path,
                                          .limit_seconds = 0.2});
    CHECK(result.timed_out);
    CHECK_FALSE(result.interrupted);
    CHECK(result.output["steps"] == 3);
    CHECK(result.error == "");
  }

  TEST_CASE("trials: numbers that are not there are not numbers") {
    const Json object = Json::parse(R"({"valid_rows": 0, "a": 1.5, "b": "x"})");
    CHECK(number_in(object, "a") == 1.5);
    CHECK(std::isnan(number_in(object, "b")));
    CHECK(std::isnan(number_in(Json(), "a")));
    CHECK(contains(loss_fault(object), "valid.jsonl"));
    CHECK(
        contains(loss_fault({{"validation_loss_after", nullptr}, {"valid_rows", 3}}), "diverged"));
    CHECK(loss_fault({{"validation_loss_after", 1.0}}) == "");
  }
}

}  // namespace toolkit::trials
