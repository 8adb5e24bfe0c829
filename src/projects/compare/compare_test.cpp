#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "core/base/atomic_file.h"
#include "core/base/testing.h"
#include "projects/compare/comparison.h"
#include "projects/compare/html_report.h"
#include "projects/compare/page.h"

namespace toolkit::compare {
namespace {

namespace fs = std::filesystem;
using testing::contains;
using testing::refusal_of;
using testing::TestingFolder;

constexpr const char* kFields = R"({"fields": [
{"name": "model", "type": "text", "choices": [], "default": ""},
{"name": "data", "type": "text", "choices": [], "default": ""},
{"name": "output", "type": "text", "choices": [], "default": "out"},
{"name": "method", "type": "text", "choices": ["lora", "qlora", "dora", "full"], "default": "lora"},
{"name": "rank", "type": "integer", "choices": [], "default": 8, "minimum": 1, "maximum": 4096},
{"name": "quantize-group", "type": "integer", "choices": [], "default": 64},
{"name": "max-length", "type": "integer", "choices": [], "default": 1024},
{"name": "learning-rate", "type": "number", "choices": [], "default": -1, "minimum": -1, "maximum": 10},
{"name": "steps", "type": "integer", "choices": [], "default": 0, "minimum": 0},
{"name": "epochs", "type": "number", "choices": [], "default": 1},
{"name": "dry-run", "type": "flag", "choices": [], "default": false},
{"name": "seed", "type": "integer", "choices": [], "default": 0}]})";

/// Stands in for `mlx-toolkit`: what each method gives is fixed; dora fails if there is a file
/// `broken`, full hangs until Ctrl-C if there is `slow`. Runs of finetune are counted in `calls`.
constexpr const char* kStandIn = R"sh(#!/bin/sh
here=$(dirname "$0")
if [ "$2" = --help ]; then tr -d '\n' < "$here/fields.json"; echo; exit 0; fi
numbers() {  # loss peak
  case $1 in lora) echo 2.0 1000000000;; qlora) echo 2.2 800000000;; dora) echo 1.9 1100000000;;
  full) echo 2.5 4000000000;; *) echo 3.5 0;; esac
}
if [ "$1" = finetune ]; then
  value() { sed -n "s/^$1: //p" "$2" | tr -d '"'; }
  method=$(value method "$3"); out=$(value output "$3")
  set -- $(numbers "$method") "$4"
  if [ "$3" = --dry-run ]; then echo "{\"planned_bytes\": $2}"; exit 0; fi
  echo "$method" >> "$here/calls"
  mkdir -p "$out"
  echo "{\"id\": \"r$method\"}" > "$out/run.json"
  if [ "$method" = dora ] && [ -e "$here/broken" ]; then
    echo '{"error": {"kind": "user_input", "message": "no such rank"}}'; exit 2
  fi
  if [ "$method" = full ] && [ -e "$here/slow" ]; then
    trap 'echo "{\"status\": \"interrupted\", \"steps\": 4, \"total_steps\": 20}"; exit 130' INT
    while :; do sleep 0.02; done
  fi
  sleep 0.03
  echo weights > "$out/adapters.safetensors"
  for step in 1 2 3; do
    echo "{\"step\": $step, \"name\": \"train_loss\", \"value\": $1}"
  done > "$out/metrics.jsonl"
  echo "{\"status\": \"succeeded\", \"steps\": 20, \"total_steps\": 20, \"valid_rows\": 4, \"tokens\": 900,"\
    "\"validation_loss_after\": $1, \"peak_rss_bytes\": $2, \"planned_bytes\": $2,"\
    "\"trainable_parameters\": 5000, \"tokens_per_second\": 50}"
  exit 0
fi
echo "$*" >> "$here/evaluations"
who=base; method=base
while [ $# -gt 0 ]; do
  case $1 in --adapter) who=tuned; method=$(basename "$(dirname "$2")");; --details) details=$2;; esac
  shift
done
set -- $(numbers "$method")
for i in 1 2 3 4; do
  echo "{\"row\": $i, \"$who\": {\"loss_sum\": $(echo "$1 $i" | awk '{print $1 * 10 + $2}'), \"tokens\": 10}}"
done > "$details"
echo "{\"task\": \"t\", \"line\": 1, \"$who\": {\"correct\": true}}" >> "$details"
echo "{\"$who\": {\"loss\": $1, \"loss_interval\": [$1, $1]},"\
  "\"tasks\": [{\"task\": \"t\", \"$who\": {\"acc\": {\"value\": 0.5, \"error\": 0.1}}}]}"
)sh";

struct Scene {
  const TestingFolder folder;
  std::string program = (folder.path / "program").string();
  Config config{.model = "m"};

  Scene() {
    folder.write("fields.json", kFields);
    folder.write("program", kStandIn);
    fs::permissions(program, fs::perms::owner_all);
    folder.write("data/train.jsonl", "");
    folder.write("data/valid.jsonl", "");
    config.data = (folder.path / "data").string();
    config.output = (folder.path / "out").string();
    config.steps = 20;
  }
  Comparison compare(const Config& with) const {
    Comparison comparison = prepare(with, program);
    const report::OpenRun open =
        report::open_run({.kind = "compare", .folder = with.output, .resume = with.resume});
    run(comparison, open, true);
    return comparison;
  }
  std::string text(const std::string& name) const { return read_file(folder.path / name); }
  long calls() const {
    std::ifstream file(folder.path / "calls");
    return std::count(std::istreambuf_iterator<char>(file), {}, '\n');
  }
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("compare: every method is measured and one recommended in report and figures") {
    Scene scene;
    scene.config.task = {"t.jsonl"};
    scene.config.constraint = {"memory=3GB"};
    scene.config.set = {"rank=4", "dora.rank=16"};
    const Comparison comparison = scene.compare(scene.config);
    CHECK(comparison.recommendation.method == "dora");
    REQUIRE(comparison.entries.size() == 4);
    CHECK(comparison.entries[0].loss.value == 2.0);
    CHECK(comparison.entries[0].adapter_bytes == 8);
    CHECK(comparison.entries[0].run == "rlora");
    CHECK(comparison.entries[0].tasks[0].metric == "acc");
    // What is planned above the limit is not run.
    CHECK(comparison.entries[3].state == Entry::State::kSkipped);
    CHECK(contains(comparison.entries[3].reason, "planned to need 4.00 GB"));
    CHECK(scene.calls() == 3);
    CHECK(contains(scene.text("out/methods/lora/settings.yaml"), "rank: 4\n"));
    CHECK(contains(scene.text("out/methods/dora/settings.yaml"), "rank: 16\n"));
    CHECK(contains(scene.text("out/methods/lora/settings.yaml"), "steps: 20\n"));
    CHECK_FALSE(comparison.settings.at("full").contains("learning-rate"));  // finetune knows it
    // qlora is judged on the packed base it learned on, the others on the base as it is.
    const std::string evaluations = scene.text("evaluations");
    CHECK(contains(evaluations, "--base-bits 4 --quantize-group 64 --adapter"));
    CHECK(contains(evaluations, "--max-length 1024 --task t.jsonl"));

    const Json json = Json::parse(scene.text("out/results.json"));
    CHECK(json["recommended"] == "dora");
    CHECK(json["base"]["validation_loss"] == 3.5);
    CHECK(json["methods"][3]["state"] == "skipped");
    CHECK(json["methods"][1]["peak_rss_bytes"] == 800000000);
    const std::string csv = scene.text("out/results.csv");
    CHECK(contains(csv, "t_acc,t_acc_error"));
    CHECK(contains(csv, "qlora,measured,,rqlora,2.200000"));
    CHECK(contains(to_page(comparison), "Recommended: dora"));
  }

  TEST_CASE("compare: the report stands alone and shows every plot in both colour schemes") {
    Scene scene;
    scene.config.constraint = {"memory=5GB", "time=10min"};
    scene.config.model = "models/<b>";
    const Comparison comparison = scene.compare(scene.config);
    const std::string html = scene.text("out/report.html");
    std::string without_names = html;
    const std::string name = "http://www.w3.org/2000/svg";
    for (size_t at; (at = without_names.find(name)) != std::string::npos;)
      without_names.erase(at, name.size());
    for (const char* outside : {"http:", "https:", "src=", "href=", "url(", "@import", "<script"})
      CHECK_FALSE_MESSAGE(contains(without_names, outside), outside);
    CHECK(html.starts_with("<!doctype html>"));
    CHECK(html.ends_with("</html>\n"));
    CHECK(contains(html, "models/&lt;b&gt;"));
    CHECK_FALSE(contains(html, "<b>"));
    CHECK(contains(html, "Recommended: <strong>dora</strong>"));
    for (const char* title :
         {"Validation loss with its 95 % interval", "Loss against time", "Peak memory",
          "Time of the whole run", "What is written", "Training loss"})
      CHECK_MESSAGE(contains(html, title), title);
    CHECK(contains(html, "allowed: 5.00 GB"));
    CHECK(contains(html, "prefers-color-scheme: dark"));
    CHECK(contains(html, "<svg id=\"plot-6\""));
    CHECK(contains(html, "<tr class=\"chosen\"><td>dora</td>"));
  }

  TEST_CASE("compare: a method that fails or outlasts the limit is recorded with its reason") {
    Scene scene;
    scene.folder.write("broken", "");
    scene.folder.write("slow", "");
    scene.config.constraint = {"time=1s"};
    const Comparison comparison = scene.compare(scene.config);
    CHECK(comparison.entries[2].state == Entry::State::kFailed);
    CHECK(comparison.entries[2].reason == "no such rank");
    CHECK(comparison.entries[3].state == Entry::State::kTooSlow);
    CHECK(contains(comparison.entries[3].reason, "at step 4 of 20"));
    CHECK(comparison.recommendation.method == "lora");
    CHECK(contains(scene.text("out/report.html"), "dora is left out: no such rank."));
  }

  TEST_CASE("compare: after kill -9 what was measured is kept and the rest measured") {
    const Scene scene;
    const pid_t killed = ::fork();
    if (killed == 0) {
      // Killed while the third method runs.
      std::thread([&] {
        while (scene.calls() < 3) std::this_thread::sleep_for(std::chrono::milliseconds(2));
        ::kill(::getpid(), SIGKILL);
      }).detach();
      scene.compare(scene.config);
      ::_exit(1);
    }
    int status = 0;
    ::waitpid(killed, &status, 0);
    CHECK(WIFSIGNALED(status));
    CHECK(fs::exists(scene.folder.path / "out/methods/qlora/measured.json"));
    CHECK_FALSE(fs::exists(scene.folder.path / "out/methods/dora/measured.json"));
    CHECK_FALSE(fs::exists(scene.folder.path / "out/report.html"));
    const std::string before = scene.text("out/methods/lora/measured.json");
    Config config = scene.config;
    config.resume = true;
    const Comparison comparison = scene.compare(config);
    CHECK(comparison.entries.size() == 4);
    CHECK(scene.calls() == 5);  // lora, qlora and the one that was killed; then dora, full
    CHECK(scene.text("out/methods/lora/measured.json") == before);
    CHECK(comparison.recommendation.method == "dora");
    scene.compare(config);  // nothing is left to do
    CHECK(scene.calls() == 5);
  }

  TEST_CASE("compare: what does not fit is named before anything runs") {
    Scene scene;
    const auto refusal = [&](auto change) {
      Config config = scene.config;
      change(config);
      return refusal_of([&] { prepare(config, scene.program); });
    };
    CHECK(contains(refusal([](Config& c) { c.methods = {"lora", "vera"}; }),
                   "no method 'vera', only lora, qlora, dora, full"));
    CHECK(contains(refusal([](Config& c) { c.methods = {"lora", "lora"}; }), "twice"));
    CHECK(contains(refusal([](Config& c) { c.constraint = {"memory=much"}; }), "memory=much"));
    CHECK(contains(refusal([](Config& c) { c.set = {"full.rnk=3"}; }), "Did you mean 'rank'"));
    CHECK(contains(refusal([](Config& c) { c.set = {"steps=3"}; }), "set by compare itself"));
    CHECK(contains(refusal([](Config& c) { c.goal = "task"; }), "--task"));
    CHECK(contains(refusal([&](Config& c) { c.data += "/train.jsonl"; }), "valid.jsonl"));
    CHECK(scene.calls() == 0);

    scene.config.methods = {"lora"};
    scene.compare(scene.config);
    CHECK(contains(refusal([](Config&) {}), "--resume"));
    CHECK(contains(refusal([](Config& c) {
                     c.resume = true;
                     c.steps = 30;
                   }),
                   "trained lora with other settings"));
    CHECK(contains(refusal([](Config& c) {
                     c.resume = true;
                     c.task = {"t.jsonl"};
                   }),
                   "judged with other settings"));
    Config more = scene.config;
    more.resume = true;
    more.methods = {"lora", "dora"};
    CHECK(scene.compare(more).entries.size() == 2);
    CHECK(scene.calls() == 2);
    const Comparison holds = prepare(more, scene.program);
    CHECK(contains(refusal_of([&] { prepare(more, scene.program); }, ErrorKind::kIo), "(compare)"));
  }
}

}  // namespace toolkit::compare
