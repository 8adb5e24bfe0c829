#include <doctest/doctest.h>
#include <sys/stat.h>

#include <chrono>
#include <thread>

#include "core/base/testing.h"
#include "projects/serve/api_error.h"
#include "projects/serve/job_runner.h"
#include "projects/serve/job_store.h"
#include "projects/serve/multipart.h"

using namespace toolkit;
using namespace toolkit::serve;
using toolkit::testing::contains;
using toolkit::testing::TestingFolder;

namespace {

/// A program that stands for mlx-toolkit.
std::string program(const TestingFolder& folder, const std::string& script) {
  const auto path = folder.write("program", "#!/bin/sh\n" + script);
  ::chmod(path.c_str(), 0700);
  return path.string();
}

FineTuningJob job_with_file(JobStore& store) {
  const StoredFile file = store.add_file("rows.jsonl", "fine-tune", "{}\n");
  return store.add_job(
      {.model = "sample://smollm2-135m", .base = "base", .training_file = file.id, .suffix = "s"});
}

FineTuningJob wait_for_end(const JobStore& store, const std::string& id) {
  for (int i = 0; i < 1000; ++i) {
    const auto job = store.find_job(id);
    if (job && job->finished_at) return *job;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return *store.find_job(id);
}

int status_of(const std::string& type, const std::string& body) {
  try {
    read_form(type, body);
  } catch (const ApiError& error) {
    return error.status;
  }
  return 200;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("files and jobs outlive the process and lie under names of ours") {
    const TestingFolder folder;
    std::string file, job;
    {
      JobStore store(folder.path / "serve");
      const StoredFile stored = store.add_file("../../x", "fine-tune", "rows");
      file = stored.id;
      CHECK(store.file_path(stored).parent_path() == folder.path / "serve/files");
      struct stat status{};
      REQUIRE(::stat(store.file_path(stored).c_str(), &status) == 0);
      CHECK((status.st_mode & 0777) == 0600);
      job = store.add_job({.model = "m", .base = "b", .training_file = file}).id;
      store.add_event(job, "one");
      store.add_event(job, "two", "info", {{"step", 3}});
      CHECK(contains(toolkit::testing::refusal_of([&] { JobStore other(folder.path / "serve"); },
                                                  ErrorKind::kIo),
                     "another running server"));
    }
    JobStore store(folder.path / "serve");
    CHECK(store.find_file(file)->bytes == 4);
    CHECK(store.find_job(job)->status == "queued");
    const auto events = store.events(job);
    REQUIRE(events.size() == 2);
    CHECK(events[0].message == "two");
    CHECK(events[0].type == "metrics");
    CHECK(store.jobs_by_state().at("queued") == 1);
    CHECK_FALSE(store.find_file("../serve.db"));
    store.remove_file(*store.find_file(file));
    CHECK(store.files().empty());
  }

  TEST_CASE("a job runs as a process and its adapter is served before it has succeeded") {
    const TestingFolder folder;
    JobStore store(folder.path / "serve");
    const FineTuningJob job = job_with_file(store);
    std::string served;
    {
      JobRunner runner(
          store, {.program = program(folder,
                                     "mkdir -p \"$7\"\n"
                                     "echo '{\"step\":1,\"name\":\"train_loss\",\"value\":2.5}' > "
                                     "\"$7/metrics.jsonl\"\n"
                                     "echo '{\"tokens\": 12}'\n"),
                  .finished = [&](const FineTuningJob& one, const std::filesystem::path&) {
                    served = one.fine_tuned_model + " " + store.find_job(one.id)->status;
                  }});
      const FineTuningJob done = wait_for_end(store, job.id);
      CHECK(done.status == "succeeded");
      CHECK(done.trained_tokens == 12);
      CHECK(done.fine_tuned_model == "ft:smollm2-135m:s:" + job.id.substr(job.id.size() - 8));
    }
    CHECK(contains(served, "ft:smollm2-135m:s:"));
    CHECK(served.ends_with(" running"));
    bool told = false;
    for (const JobEvent& event : store.events(job.id))
      told = told || (event.data.is_object() && event.data.value("train_loss", 0.0) == 2.5);
    CHECK(told);
    CHECK(std::filesystem::exists(store.job_folder(job.id) / "data/train.jsonl"));
  }

  TEST_CASE("a job that fails says why and one that is cancelled ends") {
    const TestingFolder folder;
    JobStore store(folder.path / "serve");
    const FineTuningJob failing = job_with_file(store);
    {
      JobRunner runner(
          store,
          {.program = program(folder, "echo \"error: $5/train.jsonl:1: no row\" >&2; exit 2\n"),
           .finished = {}});
      CHECK(wait_for_end(store, failing.id).error == "data/train.jsonl:1: no row");
    }
    const FineTuningJob endless = job_with_file(store);
    JobRunner runner(store, {.program = program(folder, "exec sleep 60\n"), .finished = {}});
    for (int i = 0; i < 1000 && store.find_job(endless.id)->status != "running"; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    CHECK(runner.cancel(endless.id));
    CHECK_FALSE(runner.cancel(endless.id));
    CHECK(wait_for_end(store, endless.id).status == "cancelled");
  }

  TEST_CASE("a job that ran when the server ended goes on") {
    const TestingFolder folder;
    JobStore store(folder.path / "serve");
    const FineTuningJob job = job_with_file(store);
    {
      JobRunner runner(store, {.program = program(folder, "exec sleep 60\n"), .finished = {}});
      for (int i = 0; i < 1000 && store.find_job(job.id)->status != "running"; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    CHECK(store.find_job(job.id)->status == "running");
    folder.write("serve/jobs/" + job.id + "/output/checkpoints/step-000020/x", std::string("x"));
    JobRunner runner(store,
                     {.program = program(folder, "case \"$*\" in *--resume*) echo '{}';; esac\n"),
                      .finished = [](const auto&, const auto&) {}});
    CHECK(wait_for_end(store, job.id).status == "succeeded");
    bool told = false;
    for (const JobEvent& event : store.events(job.id))
      told = told || contains(event.message, "last checkpoint");
    CHECK(told);
  }

  TEST_CASE("settings of a job become finetune's") {
    const TestingFolder folder;
    JobStore store(folder.path / "serve");
    const auto arguments = finetune_arguments(
        store,
        {.id = "ftjob-1",
         .base = "base; rm -rf",
         .method = "dpo",
         .hyperparameters = {{"n_epochs", 3}, {"learning_rate_multiplier", 2.0}, {"beta", 0.2}}},
        false);
    std::string line;
    for (const std::string& argument : arguments) line += argument + " ";
    CHECK(contains(line, "--epochs 3 "));
    CHECK(contains(line, "--learning-rate 0.0001 "));
    CHECK(contains(line, "--objective dpo --beta 0.2 "));
    CHECK(arguments[2] == "base; rm -rf");
    CHECK_FALSE(contains(line, "--resume"));
  }

  TEST_CASE("forms are read exactly as their boundary says") {
    const std::string type = "multipart/form-data; boundary=\"b d\"";
    const std::string body =
        "--b d\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nfine-tune\r\n"
        "--b d\r\nContent-Type: x\r\ncontent-disposition: form-data; name=file; "
        "filename=\"a;b.jsonl\"\r\n\r\nrow\r\n--b\r\n\r\n--b d--\r\n";
    const auto parts = read_form(type, body);
    REQUIRE(parts.size() == 2);
    CHECK(parts[0].content == "fine-tune");
    CHECK(parts[1].file_name == "a;b.jsonl");
    CHECK(parts[1].content == "row\r\n--b\r\n");
    CHECK(status_of("application/json", body) == 415);
    CHECK(status_of("multipart/form-data", body) == 400);
    CHECK(status_of("multipart/form-data; boundary=" + std::string(71, 'x'), body) == 400);
    for (size_t cut = 0; cut + 4 < body.size(); cut += 7)
      CHECK_MESSAGE(status_of(type, body.substr(0, cut)) == 400, cut);
    std::string many;
    for (int i = 0; i < 20; ++i)
      many += "--x\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n";
    CHECK(status_of("multipart/form-data; boundary=x", many + "--x--") == 400);
  }
}
