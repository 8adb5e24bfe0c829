#include "core/base/fields.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "core/base/atomic_file.h"
#include "core/base/nearest.h"
#include "core/base/testing.h"

using namespace std::string_literals;
using toolkit::Error;
using toolkit::Fields;
using toolkit::testing::TestingFolder;

namespace {

struct Settings {
  bool shuffle = true;
  int rank = 8;
  double rate = 2e-4;
  std::string method = "lora";
  std::vector<std::string> targets;

  Fields fields() {
    return {{.name = "shuffle", .target = &shuffle, .help = "shuffle rows"},
            {.name = "rank", .target = &rank, .help = "rank", .minimum = 1, .maximum = 256},
            {.name = "learning-rate", .target = &rate, .help = "step size", .minimum = 0},
            {.name = "method",
             .target = &method,
             .help = "method",
             .choices = {"lora", "full"},
             .required = true},
            {.name = "targets", .target = &targets, .help = "layers"}};
  }
};

/// Reads YAML text into `settings`; the error's text after the folder, or "".
std::string read(const std::string& yaml, Settings& settings,
                 const std::vector<std::string>& given = {}) {
  const TestingFolder folder;
  const std::string path = folder.path / "c.yaml";
  toolkit::write_file_atomically(path, yaml);
  try {
    toolkit::read_yaml(path, settings.fields(), given);
  } catch (const Error& error) {
    return std::string(error.what()).substr(folder.path.string().size() + 1);
  }
  return "";
}

std::string check(Settings settings) {
  try {
    toolkit::check_fields(settings.fields());
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a number may be left to the program with the word auto") {
    int rank = 8;
    const Fields fields = {{.name = "rank",
                            .target = &rank,
                            .help = "rank",
                            .minimum = 1,
                            .maximum = 256,
                            .automatic = 0}};
    toolkit::set_field(fields[0], {"auto"}, "--rank");
    CHECK(rank == 0);
    toolkit::check_fields(fields);
    CHECK(toolkit::fields_to_json(fields) == R"({"rank":"auto"})");
    toolkit::set_field(fields[0], {"16"}, "--rank");
    CHECK(toolkit::fields_to_json(fields) == R"({"rank":16})");
    CHECK_THROWS_WITH_AS(toolkit::set_field(fields[0], {"few"}, "--rank"),
                         "--rank: expected a whole number or auto, found 'few'", Error);
    rank = -3;
    CHECK_THROWS_AS(toolkit::check_fields(fields), Error);
  }

  TEST_CASE("fields: yaml sets every type, '-' and '_' are the same") {
    Settings s;
    CHECK(read("shuffle: no\nrank: 16\nlearning_rate: 1e-3\nmethod: full\ntargets: [q, v]\n", s) ==
          "");
    CHECK(!s.shuffle);
    CHECK(s.rank == 16);
    CHECK(s.rate == 1e-3);
    CHECK(s.method == "full");
    CHECK(s.targets == std::vector{"q"s, "v"s});
    CHECK(read("learning-rate: 3\ntargets: a,b", s) == "");
    CHECK(s.rate == 3);
    CHECK(s.targets == std::vector{"a"s, "b"s});
  }

  TEST_CASE("fields: the command line wins over the file") {
    Settings s;
    s.rank = 4;
    CHECK(read("rank: 16\nmethod: full", s, {"rank"}) == "");
    CHECK(s.rank == 4);
    CHECK(s.method == "full");
  }

  TEST_CASE("fields: mistakes in yaml name file, line and the nearest setting") {
    Settings s;
    CHECK(read("rank: 4\nlerning_rate: 1", s) ==
          "c.yaml:2: unknown setting 'lerning_rate'. Did you mean 'learning_rate'?");
    CHECK(read("rank: many", s) == "c.yaml:1: rank: expected a whole number, found 'many'");
    CHECK(read("rank: 4.5", s) == "c.yaml:1: rank: expected a whole number, found '4.5'");
    CHECK(read("rank: 99999999999", s) ==
          "c.yaml:1: rank: expected a whole number, found '99999999999'");
    CHECK(read("learning-rate: nan", s) ==
          "c.yaml:1: learning-rate: expected a number, found 'nan'");
    CHECK(read("shuffle: 3", s) == "c.yaml:1: shuffle: expected true or false, found '3'");
    CHECK(read("rank: [1]", s) == "c.yaml:1: rank: expected a whole number, found 'a list'");
    CHECK(read("rank: 1\nrank: 2", s) == "c.yaml:2: 'rank' is set twice in this file");
    CHECK(read("- rank", s) == "c.yaml:1: expected 'setting: value' lines, found a list");
    CHECK(read("rank: [1", s).starts_with("c.yaml:"));
    CHECK(read("", s) == "");
  }

  TEST_CASE("fields: ranges, choices and required values are checked") {
    CHECK(check({}) == "");
    CHECK(check({.rank = 0}) == "--rank: expected 1 to 256, found 0");
    CHECK(check({.rate = -1}) == "--learning-rate: expected at least 0, found -1");
    CHECK(check({.method = "ful"}) ==
          "--method: expected one of lora, full, found 'ful'. Did you mean 'full'?");
    CHECK(check({.method = ""}) == "--method is missing: method");
  }

  TEST_CASE("fields: values as JSON in the order of the list") {
    Settings s;
    s.targets = {"q"};
    CHECK(toolkit::fields_to_json(s.fields()) ==
          R"({"shuffle":true,"rank":8,"learning_rate":0.0002,"method":"lora","targets":["q"]})");
  }

  TEST_CASE("nearest: suggests slips of the finger, not strangers") {
    const std::vector words{"finetune"s, "generate"s, "data"s, "doctor"s};
    CHECK(toolkit::nearest("fintune", words) == "finetune");
    CHECK(toolkit::nearest("genreate", words) == "generate");
    CHECK(toolkit::nearest("dta", words) == "data");
    CHECK(toolkit::nearest("gen", words) == "generate");
    CHECK(toolkit::nearest("server", words) == "");
    CHECK(toolkit::nearest("", words) == "");
  }
}
