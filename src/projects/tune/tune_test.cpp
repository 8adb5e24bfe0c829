#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <fstream>
#include <thread>

#include "core/base/atomic_file.h"
#include "core/base/interrupt.h"
#include "core/base/testing.h"
#include "projects/tune/page.h"
#include "projects/tune/search_run.h"
#include "projects/tune/trial_run.h"
#include "projects/tune/trial_space.h"

namespace toolkit::tune {
namespace {

namespace fs = std::filesystem;
using testing::contains;
using testing::refusal_of;
using testing::TestingFolder;

constexpr const char* kFields = R"({"fields": [
{"name": "model", "type": "text", "choices": [], "default": ""},
{"name": "data", "type": "text", "choices": [], "default": ""},
{"name": "output", "type": "text", "choices": [], "default": "out"},
{"name": "rank", "type": "integer", "choices": [], "default": 8, "minimum": 1, "maximum": 4096},
{"name": "targets", "type": "list", "choices": [], "default": ["all"]},
{"name": "learning-rate", "type": "number", "choices": [], "default": 0.0002, "minimum": 1e-9, "maximum": 10},
{"name": "schedule", "type": "text", "choices": ["cosine", "linear"], "default": "cosine"},
{"name": "steps", "type": "integer", "choices": [], "default": 0, "minimum": 0},
{"name": "epochs", "type": "number", "choices": [], "default": 1},
{"name": "seed", "type": "integer", "choices": [], "default": 0},
{"name": "share-prefix", "type": "flag", "choices": [], "default": true},
{"name": "sample", "type": "integer", "choices": [], "default": 1}]})";

/// Stands in for `mlx-toolkit finetune`: the loss is (log10(rate) + 3.5)^2 + |rank - 16| / 100 +
/// 1 / steps; a rate above 5e-3 diverges, rank 64 is out of memory. It counts its runs in `calls`.
constexpr const char* kStandIn = R"sh(#!/bin/sh
here=$(dirname "$0")
if [ "$2" = --help ]; then tr -d '\n' < "$here/fields.json"; echo; exit 0; fi
echo run >> "$here/calls"
value() { sed -n "s/^$1: //p" "$2"; }
out=$(value output "$3" | tr -d '"')
echo "{\"id\": \"r$(wc -l < "$here/calls" | tr -d ' ')\", \"parent\": \"$MLX_TOOLKIT_PARENT_RUN\"}" > "$out/run.json"
# An orphan of a search that was killed must not hang too.
if [ -e "$here/hang" ] && [ "$(cat "$here/hang")" = "$PPID" ]; then
  touch "$here/hanging"
  trap 'echo "{\"status\": \"interrupted\"}"; exit 130' INT
  while :; do sleep 0.05; done
fi
if [ -e "$here/broken" ]; then
  echo '{"error": {"kind": "not_found", "message": "no such model"}}'
  exit 1
fi
rank=$(value rank "$3")
if [ "$rank" = 64 ]; then kill -9 $$; fi
echo weights > "$out/adapters.safetensors"
awk -v rate="$(value learning_rate "$3")" -v rank="$rank" -v steps="$(value steps "$3")" 'BEGIN {
  r = log(rate) / log(10) + 3.5; k = rank > 16 ? rank - 16 : 16 - rank
  loss = rate > 0.005 ? "null" : r * r + k / 100 + 1 / steps
  printf "{\"validation_loss_before\": 9.5, \"validation_loss_after\": %s, ", loss
  printf "\"peak_rss_bytes\": 1000, \"valid_rows\": 3}\n" }'
)sh";

/// A program that stands in, a space, and searches over it.
struct Bench {
  const TestingFolder folder;
  std::string program = (folder.path / "program").string();
  Config config{.model = "m", .data = "d"};

  Bench() {
    folder.write("fields.json", kFields);
    folder.write("program", kStandIn);
    fs::permissions(program, fs::perms::owner_all);
    folder.write("space.yaml", "learning_rate: 1e-5..1e-1 log\nrank: [4, 8, 16, 64]\n");
    config.space = (folder.path / "space.yaml").string();
    config.output = (folder.path / "out").string();
    config.trials = 9;
    config.steps = 90;
    config.seed = 1;
  }

  Search search(const Config& with) const {
    Search search = prepare(with, program);
    const report::OpenRun open =
        report::open_run({.kind = "tune", .folder = with.output, .resume = with.resume});
    run(search, open, true);
    return search;
  }
  Json fields() const { return Json::parse(kFields)["fields"]; }
  std::string text(const std::string& name) const { return read_file(folder.path / name); }
  long calls() const {
    std::ifstream file(folder.path / "calls");
    return std::count(std::istreambuf_iterator<char>(file), {}, '\n');
  }
};

/// The trials as they were chosen and ended, without what time and process give.
std::string story(const Search& search) {
  std::string text;
  for (const Trial& trial : search.trials) {
    for (const auto& [name, value] : settings_of(search.space, trial.point)) text += value + " ";
    for (const Result& round : trial.rounds)
      text += fmt::format("{:.6f} {}; ", round.loss, round.error);
    text += "\n";
  }
  return text;
}

Trial trial_with(std::vector<double> losses) {
  Trial trial{.point = {0.5}, .rounds = {}};
  for (const double loss : losses) trial.rounds.push_back({.loss = loss});
  return trial;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("tune: finds the best settings and writes them with plots and a record") {
    const Bench bench;
    const Search search = bench.search(bench.config);
    REQUIRE(search.trials.size() == 9);
    const auto best = winner(search.trials, "loss");
    REQUIRE(best);
    CHECK(best->round == 2);
    const Json json = to_json(search);
    CHECK(json["best"]["validation_loss"].get<double>() < 0.3);
    CHECK(json["validation_loss_before"] == 9.5);
    CHECK(search.space.text(1, search.trials[0].point[1]) == "0.0002");  // finetune's default first
    const std::string yaml = bench.text("out/best.yaml");
    CHECK(contains(yaml, "steps: 90\n"));
    CHECK(contains(yaml, "model: \"m\"\n"));
    CHECK(contains(yaml, "rank: " + json["best"]["settings"]["rank"].get<std::string>() + "\n"));
    CHECK_FALSE(contains(yaml, "output"));
    CHECK(contains(bench.text("out/trials.svg"), "whole trials"));
    CHECK(contains(bench.text("out/importance.svg"), "learning-rate"));
    const std::string page = to_page(search);
    CHECK(contains(page, "Best: trial"));
    CHECK(contains(page, "best.yaml"));
    // A child is told which run started it.
    const Json parent = Json::parse(bench.text("out/run.json"));
    CHECK(Json::parse(bench.text("out/trials/001-round-1/run.json"))["parent"] == parent["id"]);
    // Only the best one's weights are kept.
    int weights = 0;
    for (const auto& entry : fs::recursive_directory_iterator(bench.folder.path / "out"))
      weights += entry.path().extension() == ".safetensors" ? 1 : 0;
    CHECK(weights == 1);
    CHECK(fs::exists(search.folder(*best) / "adapters.safetensors"));
  }

  TEST_CASE("tune: a trial that fails says why and the search goes on") {
    Bench bench;
    bench.config.method = "random";
    bench.config.trials = 20;
    bench.config.rounds = 1;
    const Search search = bench.search(bench.config);
    int diverged = 0, killed = 0;
    for (const Trial& trial : search.trials) {
      const std::string& error = trial.rounds.back().error;
      diverged += contains(error, "diverged") ? 1 : 0;
      killed += contains(error, "out of memory") ? 1 : 0;
    }
    CHECK(search.trials.size() == 20);
    CHECK(diverged > 0);
    CHECK(killed > 0);
    CHECK(contains(bench.text("out/trials.jsonl"), "signal 9"));
    CHECK(contains(to_page(search), "diverged"));
    CHECK(contains(bench.text("out/trials.svg"), "best so far"));
    CHECK(winner(search.trials, "loss"));
  }

  TEST_CASE("tune: nothing that works at first ends the search with the reason") {
    const Bench bench;
    bench.folder.write("broken", "");
    CHECK(contains(refusal_of([&] { bench.search(bench.config); }), "no such model"));
    CHECK(bench.calls() == 3);
  }

  TEST_CASE("tune: a search that was cut off anywhere goes on as if it had not been") {
    const Bench whole;
    const Search expected = whole.search(whole.config);
    const std::string journal = whole.text("out/trials.jsonl");
    std::vector<size_t> ends;
    for (size_t at = journal.find('\n'); at != std::string::npos; at = journal.find('\n', at + 1))
      ends.push_back(at + 1);
    for (const size_t kept : {ends[0], ends[3], ends[6] + 20, journal.size() - 5}) {
      const Bench again;
      again.folder.write("out/trials.jsonl", journal.substr(0, kept));
      Config config = again.config;
      config.resume = true;
      CHECK(story(again.search(config)) == story(expected));
      CHECK(again.text("out/best.yaml") == whole.text("out/best.yaml"));
      CHECK(again.calls() < static_cast<long>(ends.size()));
    }
    // More trials may follow - another search may not.
    Config more = whole.config;
    more.resume = true;
    more.trials = 11;
    CHECK(whole.search(more).trials.size() == 11);
    more.seed = 7;
    more.steps = 99;
    CHECK(contains(refusal_of([&] { prepare(more, whole.program); }), "seed, steps"));
    more.resume = false;
    CHECK(contains(refusal_of([&] { prepare(more, whole.program); }), "--resume"));
  }

  TEST_CASE("tune: kill -9 leaves every trial that ended and Ctrl-C ends the child") {
    const Bench bench;
    const pid_t killed = ::fork();
    if (killed == 0) {
      // Killed while the fourth trial runs.
      std::thread([&] {
        while (bench.calls() < 4) std::this_thread::sleep_for(std::chrono::milliseconds(2));
        ::kill(::getpid(), SIGKILL);
      }).detach();
      bench.search(bench.config);
      ::_exit(1);
    }
    int status = 0;
    ::waitpid(killed, &status, 0);
    CHECK(WIFSIGNALED(status));
    const std::string journal = bench.text("out/trials.jsonl");
    CHECK(std::count(journal.begin(), journal.end(), '\n') >= 4);  // the search and three trials

    bench.folder.write("hang", std::to_string(::getpid()));
    Config config = bench.config;
    config.resume = true;
    std::thread interrupt([&] {
      while (!fs::exists(bench.folder.path / "hanging"))
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      ::kill(::getpid(), SIGINT);
    });
    const Search stopped = bench.search(config);
    interrupt.join();
    InterruptGuard::clear();
    CHECK(stopped.status == "interrupted");
    CHECK(contains(to_page(stopped), "--resume"));
    fs::remove(bench.folder.path / "hang");
    CHECK(bench.search(config).trials.size() == 9);
  }

  TEST_CASE("tune: what does not fit finetune is named") {
    const Bench bench;
    const auto space = [&](const std::string& text) {
      const fs::path file = bench.folder.write("other.yaml", text);
      return refusal_of([&] { read_space(file.string(), {}, {}, bench.fields()); });
    };
    const std::string misfits =
        space("rank: [4, 9999]\nlearning_rate: 1e-3..20\nschedule: [cosine, wavy]\n");
    CHECK(contains(misfits, "rank: 9999 is above"));
    CHECK(contains(misfits, "learning-rate: 20 is above"));
    CHECK(contains(misfits, "schedule: expected one of cosine, linear, found 'wavy'"));
    CHECK(contains(space("rnak: [4]\n"), "Did you mean 'rank'"));
    CHECK(contains(space("steps: [4]\n"), "unknown setting 'steps'"));
    CHECK(contains(space("learning_rate: 1e-3..1e-4 log\n"), "learning-rate"));
    CHECK(contains(space("rank: [4, four]\n"), "expected a number, found 'four'"));
    CHECK(contains(space("rank: [4, 4]\n"), "twice"));
    CHECK(contains(space("schedule: cosine..linear\n"), "takes a list"));
    CHECK(contains(space(""), "nothing to search"));
    const auto fixed = [&](const std::vector<std::string>& set) {
      return refusal_of(
          [&] { trials::fixed_settings("", set, bench.fields(), kSetBySearch, "tune"); });
    };
    CHECK(contains(fixed({"rnk=4"}), "Did you mean 'rank'"));
    CHECK(contains(fixed({"rank=0"}), "below"));
    CHECK(contains(fixed({"share-prefix=maybe"}), "true or false"));
    CHECK(contains(fixed({"steps=4"}), "set by tune itself"));
    CHECK(contains(fixed({"rank"}), "name=value"));
    CHECK(contains(
        refusal_of([&] { read_space(bench.config.space, {}, {{"rank", "4"}}, bench.fields()); }),
        "rank is fixed too"));
    CHECK(contains(refusal_of([&] { read_space("", {"wings"}, {}, bench.fields()); }),
                   "--only wings"));
    Config short_rounds = bench.config;
    short_rounds.steps = 9;
    CHECK(contains(refusal_of([&] { check(short_rounds); }), "--rounds"));
  }

  TEST_CASE("tune: the usual space leaves out what is fixed or unknown to finetune") {
    const Bench bench;
    const Settings fixed = trials::fixed_settings("", {"rank=4", "targets=q_proj", "v_proj"},
                                                  bench.fields(), kSetBySearch, "tune");
    CHECK(fixed.at("targets") == "q_proj,v_proj");
    const search::Space space = read_space("", {}, fixed, bench.fields());
    REQUIRE(space.size() == 1);  // this finetune has no alpha, layers, warm-up, dropout
    CHECK(space.dimensions()[0].name == "learning-rate");
    CHECK(trials::to_yaml(fixed, bench.fields()) == "rank: 4\ntargets: [\"q_proj\",\"v_proj\"]\n");
    CHECK(trials::to_yaml({{"targets", "q_proj+v_proj"}}, bench.fields()) ==
          "targets: [\"q_proj\",\"v_proj\"]\n");
    CHECK(read_space("", {"learning_rate"}, {}, bench.fields()).size() == 1);
  }

  TEST_CASE("tune: where finetune chooses the number the first trial has the middle of the range") {
    const Json fields = Json::parse(R"([{"name": "learning-rate", "type": "number", "default": -1,
      "choices": [], "minimum": -1, "maximum": 10}])");
    const search::Space space = read_space("", {}, {}, fields);
    const search::Point point = default_point(space, fields);
    REQUIRE(point.size() == 1);
    CHECK(point[0] == doctest::Approx(std::sqrt(5e-5 * 1e-3)));
  }

  TEST_CASE("tune: the usual space offers what the model can take") {
    const std::string fields = R"([{"name": "rank", "type": "integer", "choices": [], "default": 8},
      {"name": "layers", "type": "integer", "choices": [], "default": -1}])";
    const auto offered = [&](const ModelLimits& limits) {
      const search::Space space = read_space("", {}, {}, Json::parse(fields), limits);
      std::string text;
      for (const search::Dimension& one : space.dimensions())
        text += fmt::format("{}: {}; ", one.name, fmt::join(one.choices, " "));
      return text;
    };
    CHECK(offered({}) == "rank: 4 8 16 32 64; layers: 8 16 -1; ");
    CHECK(offered({.layers = 16, .narrowest = 48}) == "rank: 4 8 16 32; layers: 8 -1; ");
    CHECK(offered({.layers = 4, .narrowest = 64}) == "rank: 4 8 16 32 64; layers: 2 -1; ");
    CHECK(offered({.layers = 1, .narrowest = 16}) == "rank: 4 8 16; ");
    const ModelLimits llama =
        model_limits((fs::path(TOOLKIT_FIXTURES) / "models" / "llama").string());
    CHECK(llama.layers == 3);
    CHECK(llama.narrowest == 16);
  }

  TEST_CASE("tune: epochs can be searched and a short round has its share of them") {
    Bench bench;
    bench.config.steps = 0;
    bench.config.space = bench.folder.write("epochs.yaml", "epochs: [1, 3]\n").string();
    Search search = prepare(bench.config, bench.program);
    search.trials.push_back({.point = {1}, .rounds = {}});
    CHECK(search.settings({0, 2}).at("epochs") == "3");
    CHECK(search.settings({0, 1}).at("epochs") == "1");
    search.lock.reset();
    bench.config.output = (bench.folder.path / "other").string();
    bench.config.steps = 90;
    CHECK(contains(refusal_of([&] { prepare(bench.config, bench.program); }), "--steps"));
  }

  TEST_CASE("tune: a second search in a folder is refused while the first one runs") {
    const Bench bench;
    const Search first = prepare(bench.config, bench.program);
    Config second = bench.config;
    second.resume = true;
    CHECK(contains(refusal_of([&] { prepare(second, bench.program); }, ErrorKind::kIo),
                   fmt::format("held by process {} (tune)", ::getpid())));
  }

  TEST_CASE("tune: of three trials the best goes on and one reaches the end in any case") {
    const Schedule schedule{.trials = 4, .rounds = 3, .keep_one_of = 3};
    CHECK(schedule.share(0) == doctest::Approx(1.0 / 9));
    CHECK(schedule.share(2) == 1);
    CHECK(shown_share(schedule, 1) == "1/3");
    std::vector<Trial> trials = {trial_with({3}), trial_with({1}), trial_with({std::nan("")})};
    const auto turn = [&] { return next_turn(trials, schedule).value_or(Turn{99, 99}); };
    CHECK(turn().trial == 1);
    CHECK(turn().round == 1);
    trials[1].rounds.push_back({.loss = 0.8});
    CHECK(turn().trial == 3);  // a new one
    CHECK(turn().round == 0);
    trials.push_back(trial_with({0.5}));
    CHECK(turn().trial == 3);  // better than the one that went on
    CHECK(turn().round == 1);
    trials[3].rounds.push_back({.loss = std::nan(""), .error = "killed"});
    CHECK(turn().trial == 1);  // the last round, with what there is
    CHECK(turn().round == 2);
    trials[1].rounds.push_back({.loss = 0.7});
    CHECK(turn().trial == 99);
    CHECK(winner(trials, "loss")->trial == 1);
    CHECK_FALSE(winner(std::vector<Trial>{trial_with({std::nan("")})}, "loss"));
    // Within 1 % the goal decides.
    std::vector<Trial> close = {trial_with({1.0}), trial_with({1.005}), trial_with({1.1})};
    close[0].rounds[0].seconds = 9;
    close[1].rounds[0].seconds = 5;
    close[2].rounds[0].seconds = 1;
    CHECK(winner(close, "time")->trial == 1);
    CHECK(winner(close, "loss")->trial == 0);
  }
}

}  // namespace toolkit::tune
