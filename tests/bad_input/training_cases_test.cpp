#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include "tests/bad_input/program_run.h"

namespace toolkit::bad_input {

namespace {

namespace fs = std::filesystem;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::vector<std::string> finetune(const std::string& model, const std::string& data,
                                  const std::string& output,
                                  const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments = {
      "finetune", "--model", model, "--data",         data, "--output", output, "--max-length",
      "128",      "--rank",  "2",   "--batch-tokens", "128"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

void check_refused(const RunResult& run, const std::vector<std::string>& parts) {
  INFO("signal ", run.signal, ", exit code ", run.exit_code, ", output ", run.out);
  CHECK_FALSE(run.timed_out);
  CHECK(run.signal == 0);
  CHECK((run.exit_code == 1 || run.exit_code == 2));
  CHECK(run.kind != "internal");
  for (const std::string& part : parts) CHECK_MESSAGE(contains(run.message, part), part);
}

RunResult generate_with(const std::string& model, const std::string& adapter) {
  return run_toolkit({"generate", "--model", model, "--adapter", adapter, "--prompt", "the word",
                      "--max-tokens", "1"});
}

}  // namespace

TEST_SUITE("recipe") {
  TEST_CASE("data that cannot be learned from is refused with file and line") {
    const Workplace place;
    const std::string model = place.copy_model();
    const auto refused = [&](const std::string& rows, const std::vector<std::string>& parts) {
      CAPTURE(rows.substr(0, 100));
      const std::string file = place.write("rows.jsonl", rows);
      check_refused(
          run_toolkit(finetune(model, file, (place.path() / "out").string(), {"--steps", "1"})),
          parts);
    };
    const std::string good = R"({"prompt": "p", "completion": "c"})";
    refused("", {"rows.jsonl"});
    refused("\n\n", {"rows.jsonl"});
    refused(good + "\n{\"prompt\": \"p\"\n", {"rows.jsonl:2"});
    refused(good + "\n" + good + "\n{\"text\": NaN}\n", {"rows.jsonl:3"});
    refused("[1, 2]\n", {"rows.jsonl", "line 1"});
    refused(R"({"messages": [{"role": "user", "content": "q"}]})", {"rows.jsonl", "line 1"});
    refused(R"({"messages": [{"role": "asistant", "content": "q"}]})", {"rows.jsonl", "line 1"});
    refused("{\"text\": \"\xff\xfe\"}\n", {"rows.jsonl", "line 1"});
    refused("{\"text\": " + std::string(100000, '[') + "\n", {"rows.jsonl", "line 1"});
    refused("\x1f\x8b\x08 gzip", {"rows.jsonl"});
    check_refused(run_toolkit(finetune(model, (place.path() / "absent").string(), "out")),
                  {"absent"});
    check_refused(run_toolkit(finetune(model, "/dev/zero", "out")), {"/dev/zero"});
  }

  TEST_CASE("rows longer than the context") {
    const Workplace place;
    const std::string model = place.copy_model();
    std::string words;
    for (int i = 0; i < 600; ++i) words += "word ";
    const std::string file = place.write("long.jsonl", R"({"prompt": ")" + words +
                                                           R"(", "completion": "c"})"
                                                           "\n");
    const RunResult run =
        run_toolkit(finetune(model, file, (place.path() / "out").string(), {"--steps", "1"}));
    check_refused(run, {"1 were cut to 128 tokens", "--max-length"});
    check_refused(
        run_toolkit({"finetune", "--model", model, "--data", place.good_data(), "--output",
                     (place.path() / "out").string(), "--max-length", "1024"}),
        {"--max-length 1024", "256"});
  }

  TEST_CASE("settings files that are wrong name line and key") {
    const Workplace place;
    const std::string model = place.copy_model(), data = place.good_data();
    const auto refused = [&](const std::string& yaml, const std::vector<std::string>& parts) {
      CAPTURE(yaml);
      check_refused(run_toolkit(finetune(model, data, "out",
                                         {"--config", place.write("settings.yaml", yaml)})),
                    parts);
    };
    refused("steps: 1\nlerning_rate: 1\n", {"settings.yaml:2", "learning"});
    refused("steps: many\n", {"settings.yaml:1", "steps"});
    refused("steps: [1\n", {"settings.yaml:"});
    refused("seed: -5\n", {"seed"});
    refused("a: &a [*a]\n", {"settings.yaml:1"});
  }

  TEST_CASE("a full disk: an error, and nothing half-written") {
    const Workplace place;
    const std::string model = place.copy_model(), data = place.good_data();
    const fs::path output = place.path() / "out";
    REQUIRE(run_toolkit(finetune(model, data, output.string(), {"--steps", "2"})).exit_code == 0);
    const std::string before = content_of(output / "adapters.safetensors");
    const RunResult run =
        run_toolkit(finetune(model, data, output.string(), {"--steps", "2", "--seed", "9"}),
                    {.largest_file_bytes = 2000});
    check_refused(run, {"out"});
    CHECK(content_of(output / "adapters.safetensors") == before);
    CHECK(generate_with(model, output.string()).exit_code == 0);
    for (const auto& entry : fs::directory_iterator(output))
      CHECK_FALSE(contains(entry.path().filename().string(), ".part-"));
  }

  TEST_CASE("an output folder that cannot be written") {
    const Workplace place;
    const std::string model = place.copy_model(), data = place.good_data(),
                      file = place.write("file", "x");
    check_refused(run_toolkit(finetune(model, data, file + "/out", {"--steps", "1"})),
                  {"file/out"});
    if (::geteuid() == 0) {
      MESSAGE("read-only folders stop nobody who is root; only the folder below a file was tried");
      return;
    }
    fs::create_directories(place.path() / "locked");
    fs::permissions(place.path() / "locked", fs::perms::owner_read | fs::perms::owner_exec);
    check_refused(run_toolkit(finetune(model, data, (place.path() / "locked/out").string(),
                                       {"--steps", "1"})),
                  {"locked"});
    fs::permissions(place.path() / "locked", fs::perms::owner_all);
  }

  TEST_CASE("Ctrl-C in training saves, ends in order and leaves an adapter that loads") {
    const Workplace place;
    const std::string model = place.copy_model(), data = place.good_data();
    const fs::path output = place.path() / "out";
    const RunResult run = run_toolkit(
        finetune(model, data, output.string(), {"--steps", "100000", "--save-every", "1"}),
        {.signal_when = [&] { return fs::exists(output / "adapter_config.json"); },
         .signal_number = SIGINT});
    INFO(run.out);
    CHECK_FALSE(run.timed_out);
    CHECK(run.signal == 0);
    CHECK((run.exit_code == 0 || run.exit_code == 1 || run.exit_code == 130));
    CHECK(generate_with(model, output.string()).exit_code == 0);
  }

  TEST_CASE("kill -9 at many moments of training always leaves an adapter that loads") {
    const Workplace place;
    const std::string model = place.copy_model(), data = place.good_data();
    const fs::path output = place.path() / "out";
    for (int attempt = 0; attempt < 6; ++attempt) {
      // The first run is killed once there is an adapter, later ones a varying while after their
      // start.
      int asked = 0;
      const RunResult run = run_toolkit(
          finetune(model, data, output.string(),
                   {"--steps", "100000", "--save-every", "1", "--seed", std::to_string(attempt),
                    "--alpha", std::to_string(attempt + 1)}),
          {.signal_when =
               [&] { return fs::exists(output / "adapter_config.json") && ++asked > 17 * attempt; },
           .signal_number = SIGKILL});
      CHECK(run.signal == SIGKILL);
      const RunResult after = generate_with(model, output.string());
      CHECK_MESSAGE(after.exit_code == 0, after.out);
    }
  }
}

}  // namespace toolkit::bad_input
