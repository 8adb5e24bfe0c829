#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <utility>

#include "core/base/atomic_file.h"
#include "core/base/paths.h"
#include "core/base/subprocess.h"
#include "core/base/testing.h"
#include "core/platform/process.h"
#include "projects/track/command.h"
#include "projects/track/config.h"
#include "projects/track/run_folder.h"
#include "projects/track/run_pages.h"
#include "projects/track/schema.h"
#include "projects/track/tracking_log.h"

namespace toolkit::track {
namespace {

namespace fs = std::filesystem;
using testing::contains;
using testing::refusal_of;
using testing::TestingFolder;

/// A home of its own, and runs that are tracked in it.
struct Home {
  const TestingFolder folder;
  std::string before = home_folder().string();
  Home() {
    ::setenv("MLX_INFRASTRUCTURE_HOME", (folder.path / "home").c_str(), 1);
    static bool listening = false;
    if (!std::exchange(listening, true)) report::listen_to_runs(track_run);
  }
  ~Home() { ::setenv("MLX_INFRASTRUCTURE_HOME", before.c_str(), 1); }

  fs::path database() const { return home_folder() / "toolkit.db"; }
  static RunStore store() { return RunStore(open_tracking_database()); }

  std::string run(const std::string& name, double loss, int rank) const {
    const auto run = report::open_run({.kind = "finetune", .folder = folder.path / name});
    run.log->parameters({{"model", "sample://x"}, {"rank", rank}, {"targets", {"all"}}});
    for (int step = 1; step <= 40; ++step) run.log->metric("train_loss", step, loss + 1.0 / step);
    run.log->metric("validation_loss", 40, loss);
    run.log->artifact(folder.path / name / "adapters.safetensors", "LoRA adapter");
    run.log->finish("succeeded", {{"validation_loss_after", loss}, {"tokens_per_second", 500.0}});
    return run.start.id;
  }
};

/// Runs `runs VERB` with words for its fields, as the command line would.
Json call(const std::string& verb, const std::map<std::string, std::vector<std::string>>& values) {
  for (const cli::Command& command : runs_command().subcommands) {
    if (command.name != verb) continue;
    for (const Field& field : command.fields) {
      if (const auto found = values.find(field.name); found != values.end())
        set_field(field, found->second, field.name);
    }
    check_fields(command.fields);
    return command.run({.json = true, .quiet = true});
  }
  FAIL("no verb ", verb);
  return {};
}

void check_is(const Run& run, double loss, int rank) {
  CHECK(run.status == "succeeded");
  CHECK(run.start.kind == "finetune");
  CHECK(run.model() == "sample://x");
  CHECK(run.number("rank") == rank);
  CHECK(run.number("validation_loss_after") == doctest::Approx(loss));
  CHECK(run.parameters["targets"][0] == "all");
  CHECK(run.artifacts.size() == 1);
  CHECK(run.seconds);
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("track: a run is in the database with settings and metrics and result") {
    const Home home;
    const std::string id = home.run("a", 2.5, 8);
    RunStore store = Home::store();
    check_is(store.find(id.substr(0, 4)), 2.5, 8);
    const auto metrics = store.metrics(id);
    CHECK(metrics.at("train_loss").size() == 40);
    CHECK(metrics.at("validation_loss").front() == std::pair<int64_t, double>(40, 2.5));
    const std::string page = run_page(store.find(id), metrics);
    CHECK(contains(page, "validation_loss_after     2.5"));
    CHECK(contains(page, "adapters.safetensors"));
  }

  TEST_CASE("track: list filters and sorts - show and delete take the beginning of an id") {
    const Home home;
    const std::string a = home.run("a", 2.5, 8), b = home.run("b", 2.0, 16);
    CHECK(call("list", {})["runs"][0]["id"] == b);
    CHECK(call("list", {{"sort", {"validation_loss_after"}}})["runs"][0]["id"] == a);
    CHECK(call("list", {{"sort", {"rank"}}, {"ascending", {"true"}}})["runs"][0]["id"] == a);
    CHECK(call("list", {{"limit", {"1"}}})["runs"].size() == 1);
    CHECK(call("list", {{"kind", {"tune"}}})["count"] == 0);
    CHECK(call("list", {{"model", {"mple"}}, {"since", {"1h"}}})["count"] == 2);
    CHECK(call("list", {{"since", {"2999-01-01"}}})["count"] == 0);
    CHECK(contains(refusal_of([] { call("list", {{"sort", {"nothing"}}}); }), "nothing"));
    CHECK(contains(refusal_of([] { call("list", {{"since", {"yesterday"}}}); }), "2026-11-20"));
    CHECK(call("show", {{"id", {a.substr(0, 5)}}})["runs"][0]["metrics"]["train_loss"].size() ==
          40);
    CHECK(contains(refusal_of([] { call("show", {{"id", {"%"}}}); }, ErrorKind::kNotFound),
                   "runs list"));
    CHECK(call("tag", {{"id", {a}}, {"tag", {"keep", "note=x=y"}}})["tags"]["note"] == "x=y");
    CHECK(call("delete", {{"id", {a}}})["deleted"][0] == a);
    CHECK(call("list", {})["count"] == 1);
    CHECK(fs::exists(home.folder.path / "a" / "run.json"));
  }

  TEST_CASE("track: compare shows what differs and draws the curves") {
    const Home home;
    const std::string a = home.run("a", 2.5, 8), b = home.run("b", 2.0, 16);
    const fs::path plot = home.folder.path / "curves.svg";
    CHECK(call("compare", {{"id", {a, b}}, {"plot", {plot.string()}}})["runs"].size() == 2);
    const std::string svg = read_file(plot);
    CHECK(contains(svg, a + " training"));
    CHECK(contains(svg, b + " validation"));
    RunStore store = Home::store();
    const Comparison comparison = compare({store.find(a), store.find(b)});
    REQUIRE(comparison.settings.rows.size() == 1);  // model and targets are equal
    CHECK(comparison.settings.rows[0] == std::vector<std::string>{"rank", "8", "16"});
    CHECK(contains(report::to_text(comparison.results), "validation_loss_after"));
    CHECK(contains(refusal_of([&] { call("compare", {{"id", {a}}}); }), "two"));
  }

  TEST_CASE("track: export holds everything as JSON and a line a run as CSV") {
    const Home home;
    const std::string a = home.run("a", 2.5, 8);
    home.run("b", 2.0, 16);
    const Json json = call("export", {});
    CHECK(json["runs"].size() == 2);
    CHECK(json["runs"][1]["metrics"]["train_loss"].size() == 40);
    const std::string csv = call("export", {{"format", {"csv"}}})["csv"];
    CHECK(contains(csv, "parameters.rank"));
    CHECK(contains(csv, "\n" + a + ",finetune,succeeded"));
    call("export", {{"id", {a}}, {"output", {(home.folder.path / "out.json").string()}}});
    CHECK(Json::parse(read_file(home.folder.path / "out.json"))["runs"].size() == 1);
  }

  TEST_CASE("track: a run that was killed is shown as killed and goes on after resume") {
    const Home home;
    const fs::path folder = home.folder.path / "a";
    std::string id;
    const pid_t child = ::fork();
    if (child == 0) {
      const auto run = report::open_run({.kind = "finetune", .folder = folder});
      run.log->metric("train_loss", 1, 3.0);
      ::kill(::getpid(), SIGKILL);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    id = Json::parse(read_file(folder / "run.json"))["id"];
    CHECK(call("list", {})["runs"][0]["status"] == "killed");
    CHECK(call("list", {{"status", {"killed"}}})["count"] == 1);
    // What was only in the file when it died is in the database now.
    CHECK(Home::store().metrics(id).at("train_loss").size() == 1);
    const auto again = report::open_run({.kind = "finetune", .folder = folder, .resume = true});
    CHECK(again.start.id == id);
    CHECK(call("list", {})["runs"][0]["status"] == "running");
    CHECK(contains(refusal_of([&] { call("delete", {{"id", {id}}}); }), "is running"));
    again.log->metric("train_loss", 1, 2.0);
    again.log->metric("train_loss", 2, 1.0);
    again.log->finish("succeeded", {});
    CHECK(call("list", {})["count"] == 1);
    CHECK(call("show", {{"id", {id}}})["runs"][0]["metrics"]["train_loss"] ==
          Json::parse("[[1, 2.0], [2, 1.0]]"));
  }

  TEST_CASE("track: a deleted or damaged database is made again from the folders") {
    const Home home;
    const std::string a = home.run("a", 2.5, 8), b = home.run("b", 2.0, 16);
    SUBCASE("deleted: the next look finds the runs") {
      fs::remove(home.database());
      CHECK(call("list", {})["count"] == 2);
    }
    SUBCASE("damaged: rebuild sets it aside") {
      std::ofstream(home.database(), std::ios::binary) << "this is no database, it is a letter";
      CHECK_THROWS_AS(call("list", {}), Error);
      const Json report = call("rebuild", {});
      CHECK(report["recorded"] == 2);
      CHECK(fs::exists(report["set_aside"].get<std::string>()));
    }
    SUBCASE("the links are gone too: a folder is searched") {
      fs::remove_all(home_folder());
      CHECK(call("list", {})["count"] == 0);
      CHECK(call("rebuild", {{"folder", {home.folder.path.string()}}})["recorded"] == 2);
    }
    RunStore store = Home::store();
    check_is(store.find(a), 2.5, 8);
    check_is(store.find(b), 2.0, 16);
    CHECK(store.metrics(b).at("train_loss").size() == 40);
  }

  TEST_CASE("track: a locked database or a home that cannot be made never ends a run") {
    const Home home;
    SUBCASE("no home") {
      home.folder.write("home", "a file where the folder should be");
      home.run("a", 2.5, 8);
      fs::remove(home.folder.path / "home");
    }
    SUBCASE("another writer holds it to the end") {
      store::Database other = open_tracking_database();
      const store::Transaction held(other);
      home.run("a", 2.5, 8);
    }
    CHECK(Json::parse(read_file(home.folder.path / "a" / "run.json"))["status"] == "succeeded");
    call("rebuild", {{"folder", {(home.folder.path / "a").string()}}});
    check_is(Home::store().list({}).at(0), 2.5, 8);
  }

  TEST_CASE("track: what others put into a run's folder does no harm") {
    const Home home;
    const std::string id = home.run("a", 2.5, 8);
    std::string why;
    RunStore store = Home::store();
    const auto refused = [&](const std::string& text) {
      home.folder.write("b/run.json", text);
      return !record_folder(store, home.folder.path / "b", why);
    };
    CHECK(refused("no json"));
    CHECK(refused("[]"));
    CHECK(refused(R"({"id": "../../etc"})"));
    CHECK(refused(R"({"id": 5})"));
    home.folder.write("b/run.json",
                      R"({"id": "bbbbbb", "kind": "\u001b[2J", "status": 7, "parameters": [],
                          "artifacts": [1, {}], "summary": 3, "pid": "x"})");
    home.folder.write("b/metrics.jsonl",
                      "\n{\"step\": 1}\n{\"step\": \"x\", \"name\": \"l\"}\n[]\n"
                      "{\"step\": 2, \"name\": \"l\", \"value\": null}\n{\"st");
    CHECK(record_folder(store, home.folder.path / "b", why));
    CHECK_FALSE(contains(run_page(store.find("bbbbbb"), {}), "\x1b"));
    check_is(store.find(id), 2.5, 8);
  }
}

}  // namespace toolkit::track
