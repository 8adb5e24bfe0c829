// Runs the text cases in cases/*.txt against a small program: what is typed, what comes out.
//
//   $ demo tune --rank 4          a command line; words are split at blanks
//   exit 0
//   stdout                        followed by the exact text, or `stdout contains`, one line each
//   ...
// Files `name: content` can be set up with `file NAME` and an indented body.

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/interrupt.h"
#include "core/cli/command.h"
#include "core/cli/completion.h"

namespace fs = std::filesystem;
using toolkit::ErrorKind;
using toolkit::cli::Command;
using toolkit::cli::Context;
using toolkit::cli::Program;

namespace {

struct TuneSettings {
  std::string model, method = "lora";
  int rank = 8;
  double rate = 2e-4;
  bool shuffle = true, dry = false;
  std::vector<std::string> targets{"all"};
};

Command tune_command(TuneSettings& s) {
  return {
      .name = "tune",
      .summary = "train an adapter",
      .description =
          "Reads a model and rows of chat, trains low-rank matrices beside every linear layer and "
          "writes "
          "them to a folder.",
      .examples = {"demo tune --model m  # defaults", "demo tune --model m --config c.yaml"},
      .fields = {{.name = "model",
                  .target = &s.model,
                  .help = "folder or file",
                  .short_name = "m",
                  .required = true},
                 {.name = "method",
                  .target = &s.method,
                  .help = "what is trained",
                  .choices = {"lora", "full"}},
                 {.name = "rank",
                  .target = &s.rank,
                  .help = "columns of the matrices",
                  .group = "Adapter",
                  .minimum = 1,
                  .maximum = 256},
                 {.name = "learning-rate",
                  .target = &s.rate,
                  .help = "highest step size",
                  .group = "Adapter",
                  .minimum = 0},
                 {.name = "targets", .target = &s.targets, .help = "layers", .group = "Adapter"},
                 {.name = "shuffle", .target = &s.shuffle, .help = "mix the rows"},
                 {.name = "dry", .target = &s.dry, .help = "only check"}},
      .run = [&s](const Context& context) {
        std::string targets;
        for (const std::string& target : s.targets) targets += target + ";";
        if (!context.quiet)
          fmt::print("{} {} {} {} {} shuffle={} dry={}\n", s.model, s.method, s.rank, s.rate,
                     targets, s.shuffle, s.dry);
        std::fflush(stdout);
        return nlohmann::json{{"rank", s.rank}, {"given", context.given}};
      }};
}

Command failing(const std::string& name, std::function<void()> act) {
  return {.name = name, .summary = "fails", .run = [act](const Context&) {
            act();
            return nlohmann::json::object();
          }};
}

Program demo_program(TuneSettings& tune, std::vector<std::string>& files) {
  Command check{.name = "check",
                .summary = "look for bad rows",
                .fields = {{.name = "files",
                            .target = &files,
                            .help = "what to read",
                            .required = true,
                            .positional = true}},
                .run = [&files](const Context&) {
                  return nlohmann::json{{"files", files}, {"ok", files[0] != "bad.jsonl"}};
                }};
  return {
      .name = "demo",
      .summary = "a program for the tests",
      .version = "1.2.3",
      .commands = {
          tune_command(tune),
          {.name = "data", .summary = "look at rows", .subcommands = {check}},
          failing("bug", [] { throw std::logic_error("index 7 of 3"); }),
          failing("gone", [] { toolkit::fail(ErrorKind::kNotFound, "no model 'x'"); }),
          failing("big",
                  [] { throw std::runtime_error("[malloc_or_wait] Unable to allocate 9 bytes."); }),
          failing("stopped",
                  [] {
                    toolkit::InterruptGuard guard;
                    ::raise(SIGINT);
                  }),
          failing("killed", [] { ::raise(SIGINT); })}};
}

/// What a file descriptor gets while this lives.
class Capture {
 public:
  explicit Capture(int file) : file_(file), saved_(::dup(file)), text_(std::tmpfile()) {
    std::fflush(nullptr);
    ::dup2(::fileno(text_), file_);
  }
  ~Capture() { std::fclose(text_); }
  std::string end() {
    std::fflush(nullptr);
    ::dup2(saved_, file_);
    ::close(saved_);
    std::rewind(text_);
    std::string all;
    for (int c; (c = std::fgetc(text_)) != EOF;) all += static_cast<char>(c);
    return all;
  }

 private:
  int file_, saved_;
  std::FILE* text_;
};

struct Outcome {
  int exit = 0;
  std::string out, err;
};

Outcome run(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  TuneSettings tune;
  std::vector<std::string> files;
  const Program program = demo_program(tune, files);
  Capture out(STDOUT_FILENO), err(STDERR_FILENO);
  const int exit = toolkit::cli::run_program(program, static_cast<int>(argv.size()), argv.data());
  toolkit::InterruptGuard::clear();
  return {exit, out.end(), err.end()};
}

struct Case {
  std::string line, place;
  int exit = 0;
  std::string out, err;  // exact, when not empty
  std::vector<std::string> out_has, err_has;
};

std::string strip_indent(const std::string& line) {
  return line.size() > 2 ? line.substr(2) : "";
}

/// Each file: `$ line`, `exit N`, then `stdout`/`stderr` with indented exact text, or `... has
/// TEXT`.
std::vector<Case> read_cases(const fs::path& path) {
  std::ifstream file(path);
  std::vector<Case> cases;
  std::string* body = nullptr;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.starts_with("$ ")) {
      cases.push_back({.line = line.substr(2),
                       .place = fmt::format("{}:{}", path.filename().string(), number)});
      body = nullptr;
    } else if (line.starts_with("exit ")) {
      cases.back().exit = std::stoi(line.substr(5));
    } else if (line == "stdout") {
      body = &cases.back().out;
    } else if (line == "stderr") {
      body = &cases.back().err;
    } else if (line.starts_with("stdout has ")) {
      cases.back().out_has.push_back(line.substr(11));
    } else if (line.starts_with("stderr has ")) {
      cases.back().err_has.push_back(line.substr(11));
    } else if (body && (line.starts_with("  ") || line.empty())) {
      *body += strip_indent(line) + "\n";
    }
  }
  return cases;
}

/// Blank lines between cases are no part of the text.
std::string trimmed(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::string output_of(const std::string& command) {
  std::FILE* pipe = ::popen(command.c_str(), "r");
  std::string text;
  for (int c; (c = std::fgetc(pipe)) != EOF;) text += static_cast<char>(c);
  CHECK(::pclose(pipe) == 0);
  return text;
}

struct TemporaryWork {
  fs::path old = fs::current_path();
  fs::path path = fs::temp_directory_path() / ("cli_test-" + std::to_string(::getpid()));
  TemporaryWork() {
    fs::create_directories(path);
    fs::current_path(path);
    ::setenv("MLX_INFRASTRUCTURE_HOME", path.c_str(), 1);
  }
  ~TemporaryWork() {
    fs::current_path(old);
    fs::remove_all(path);
  }
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("cli: the text cases") {
    TemporaryWork work;
    toolkit::write_file_atomically("good.yaml", "rank: 32\nlearning_rate: 0.5\nmodel: from-file\n");
    toolkit::write_file_atomically("bad.yaml", "rank: 32\nmodle: x\n");
    int count = 0;
    for (const auto& entry :
         fs::directory_iterator(fs::path(TOOLKIT_SOURCE_DIR) / "src/core/cli/cases")) {
      for (const Case& expected : read_cases(entry.path())) {
        INFO(expected.place, ": ", expected.line);
        ++count;
        const Outcome got = run(expected.line);
        CHECK(got.exit == expected.exit);
        if (!expected.out.empty()) CHECK(trimmed(got.out) == trimmed(expected.out));
        if (!expected.err.empty()) CHECK(trimmed(got.err) == trimmed(expected.err));
        for (const std::string& part : expected.out_has)
          CHECK_MESSAGE(got.out.find(part) != std::string::npos, part, "\nin:\n", got.out);
        for (const std::string& part : expected.err_has)
          CHECK_MESSAGE(got.err.find(part) != std::string::npos, part, "\nin:\n", got.err);
      }
    }
    CHECK(count > 20);
  }

  TEST_CASE("cli: Ctrl-C that no command waits for ends with 130, and with an object if wanted") {
    TemporaryWork work;
    const auto out_of = [](const char* line) {
      const pid_t child = ::fork();
      if (child == 0) {
        if (!std::freopen("out.txt", "w", stdout)) ::_exit(1);
        std::istringstream stream(line);
        std::vector<std::string> words{std::istream_iterator<std::string>(stream), {}};
        std::vector<char*> argv;
        for (std::string& word : words) argv.push_back(word.data());
        TuneSettings tune;
        std::vector<std::string> files;
        toolkit::cli::run_program(demo_program(tune, files), static_cast<int>(argv.size()),
                                  argv.data());
        ::_exit(1);
      }
      int status = 0;
      ::waitpid(child, &status, 0);
      CHECK(WIFEXITED(status));
      CHECK(WEXITSTATUS(status) == 130);
      return toolkit::read_file("out.txt");
    };
    CHECK(out_of("demo killed").empty());
    CHECK(out_of("demo killed --json") ==
          "{\"error\":{\"kind\":\"interrupted\",\"message\":\"interrupted\"}}\n");
  }

  TEST_CASE("cli: completion in bash, and in zsh and fish where they are installed") {
    TemporaryWork work;
    TuneSettings tune;
    std::vector<std::string> files;
    const auto script = [&](const char* shell) {
      return toolkit::cli::completion_script(demo_program(tune, files), shell);
    };
    toolkit::write_file_atomically(
        "c.bash", script("bash") +
                      "try() { COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _demo; "
                      "echo \"${COMPREPLY[*]}\"; }\n"
                      "try demo t; try demo data ''; try demo data --j; try demo tune --method ''; "
                      "try demo tune --r; try demo tune --no; try demo tune --model ''; "
                      "try demo data check ''; try demo tune --log-level d\n");
    CHECK(output_of("bash c.bash") ==
          "tune\ncheck\n--json\nlora full\n--rank\n--no-shuffle\n\n\ndebug\n");
    // zsh completes only inside its line editor: stand-ins show what it would be told.
    toolkit::write_file_atomically(
        "c.zsh", "compdef() { :; }; compadd() { shift; echo $*; }; _files() { echo FILES; }\n" +
                     script("zsh") +
                     "try() { words=(\"$@\"); CURRENT=$#; _demo; }\n"
                     "try demo t; try demo data ''; try demo tune --method ''; "
                     "try demo tune --model ''; try demo data check ''\n");
    if (std::system("command -v zsh >/dev/null") == 0)
      CHECK(output_of("zsh -f c.zsh") ==
            "tune data bug gone big stopped killed\ncheck\nlora full\nFILES\nFILES\n");
    toolkit::write_file_atomically(
        "c.fish", script("fish") + "complete -C 'demo tu'; complete -C 'demo tune --method '\n");
    if (std::system("command -v fish >/dev/null") == 0)
      CHECK(output_of("HOME=$PWD fish --no-config c.fish | cut -f1") == "tune\nfull\nlora\n");
  }
}
