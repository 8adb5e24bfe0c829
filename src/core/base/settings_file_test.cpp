#include "core/base/settings_file.h"

#include <doctest/doctest.h>

#include "core/base/testing.h"

namespace toolkit {

namespace {

using testing::contains;
using testing::refusal_of;

struct Sample {
  bool flag = true;
  int days = 30;
  double size = 100;
  std::string folder = "~/x";
  std::vector<std::string> list;
  Fields fields() {
    return {{.name = "flag", .target = &flag, .help = ""},
            {.name = "keep-days", .target = &days, .help = ""},
            {.name = "size", .target = &size, .help = ""},
            {.name = "folder", .target = &folder, .help = ""},
            {.name = "list", .target = &list, .help = ""}};
  }
};

/// The text after `field` was written into it; checked to read back as the same value.
std::string edited(const std::string& text, const std::string& section, Sample& sample,
                   size_t field) {
  const std::string after = edited_yaml(text, section, sample.fields()[field]);
  Sample read;
  read_yaml_text(after, "test", section, read.fields());
  const auto values = [&](Sample& of) { return fields_to_json({of.fields()[field]}); };
  CHECK_MESSAGE(values(read) == values(sample), after);
  return after;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("one section of a file is read, the others are not looked at") {
    Sample sample;
    const auto set = read_yaml_text("other:\n  x: [1, {y: 2}]\nmine:\n  keep_days: 7\n  flag: no\n",
                                    "f", "mine", sample.fields());
    CHECK(set == std::vector<std::string>{"flag", "keep-days"});
    CHECK(sample.days == 7);
    CHECK(!sample.flag);
    CHECK(read_yaml_text("other: 1\n", "f", "mine", sample.fields()).empty());
    CHECK(read_yaml_text("", "f", "mine", sample.fields()).empty());
    CHECK(read_yaml_text("mine:\n", "f", "mine", sample.fields()).empty());
    CHECK(contains(refusal_of([&] {
                     read_yaml_text("a: 1\nmine:\n  kep_days: 7\n", "f", "mine", sample.fields());
                   }),
                   "f:3: unknown setting 'kep_days'. Did you mean 'keep_days'?"));
    CHECK(contains(refusal_of([&] { read_yaml_text("mine: [1]\n", "f", "mine", sample.fields()); }),
                   "f:1: expected 'setting: value' lines, found a list"));
  }

  TEST_CASE("a value is changed where it stands, the rest stays to the letter") {
    Sample sample{.flag = false, .days = 90, .size = 0.5, .folder = "/a b/#c", .list = {"p", "q"}};
    CHECK(edited("# mine\nflag: true   # why\n\nkeep-days: 3\n", "", sample, 0) ==
          "# mine\nflag: false  # why\n\nkeep-days: 3\n");
    CHECK(edited("flag: true\nkeep-days: 3\n", "", sample, 1) == "flag: true\nkeep_days: 90\n");
    CHECK(edited("folder: 'a # b'  # note", "", sample, 3) == "folder: \"/a b/#c\"  # note\n");
    CHECK(edited("list:\n  - a\n  # between\n  - b\nflag: no\n", "", sample, 4) ==
          "list: [\"p\", \"q\"]\nflag: no\n");
    CHECK(edited("list:\n- a\n- b\nflag: no\n", "", sample, 4) ==
          "list: [\"p\", \"q\"]\nflag: no\n");
  }

  TEST_CASE("a value that is not there is added") {
    Sample sample{.flag = false, .size = 200};
    CHECK(edited("", "", sample, 0) == "flag: false\n");
    CHECK(edited("# all\nkeep_days: 3\n", "", sample, 2) == "# all\nkeep_days: 3\nsize: 200\n");
    CHECK(edited("other:\n  size: 7\n", "mine", sample, 2) ==
          "other:\n  size: 7\nmine:\n  size: 200\n");
    CHECK(edited("mine:\n    flag: yes\n\nother:\n    size: 7\n", "mine", sample, 2) ==
          "mine:\n    flag: yes\n    size: 200\n\nother:\n    size: 7\n");
    CHECK(edited("mine:\nother:\n  size: 7\n", "mine", sample, 2) ==
          "mine:\n  size: 200\nother:\n  size: 7\n");
  }

  TEST_CASE("a setting is written where it can be read back and else nowhere") {
    const testing::TestingFolder folder;
    const auto file = folder.path / "of" / "the suite" / "config.yaml";
    Sample sample{.days = 90}, fresh;
    write_setting(file, "mine", sample.fields()[1], fresh.fields());
    CHECK(setting_key("keep-days") == "keep_days");
    CHECK(settings_text(file) == "mine:\n  keep_days: 90\n");
    CHECK(contains(refusal_of([&] { find_setting(fresh.fields(), "kep-days", "x config"); }),
                   "unknown setting 'kep-days'. Did you mean 'keep_days'? `x config` lists them"));
    folder.write("odd.yaml", "mine: {keep_days: 3}\n");
    Sample again;
    CHECK(contains(refusal_of([&] {
                     write_setting(folder.path / "odd.yaml", "mine", sample.fields()[1],
                                   again.fields());
                   }),
                   "cannot be changed in place; write `keep_days` there yourself"));
    CHECK(settings_text(folder.path / "odd.yaml") == "mine: {keep_days: 3}\n");
  }

  TEST_CASE("texts that mean something else in YAML are quoted") {
    for (const char* text : {"true", "no", "null", "~", "a: b", "- x", "1.5 # x", "", "ü", "\"'"}) {
      Sample sample{.folder = text};
      edited("flag: no\n", "", sample, 3);
    }
  }
}

}  // namespace toolkit
