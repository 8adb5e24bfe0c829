#include "projects/diagnose/bundle.h"

#include <sys/stat.h>
#include <zip.h>

#include <algorithm>
#include <cstdlib>

#include "core/base/testing.h"
#include "core/monitor/history/history.h"
#include "projects/diagnose/check.h"

namespace toolkit::diagnose {

namespace {

using testing::contains;

struct Home {
  testing::TestingFolder folder;
  Home() {
    ::setenv("MLX_INFRASTRUCTURE_HOME", folder.path.c_str(), 1);
    ::setenv("MLX_CACHE_DIR", (folder.path / "cache").c_str(), 1);
    ::setenv("OLLAMA_HOST", "http://127.0.0.1:1", 1);
  }
  ~Home() {
    for (const char* name : {"MLX_INFRASTRUCTURE_HOME", "MLX_CACHE_DIR", "OLLAMA_HOST"})
      ::unsetenv(name);
  }
};

std::string text_of(const std::vector<Entry>& entries, const std::string& name) {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const Entry& entry) { return entry.name == name; });
  REQUIRE_MESSAGE(found != entries.end(), name);
  return found->text;
}

const Finding& finding_of(const std::vector<Finding>& findings, const std::string& what) {
  const auto found = std::find_if(findings.begin(), findings.end(),
                                  [&](const Finding& one) { return contains(one.what, what); });
  REQUIRE_MESSAGE(found != findings.end(), what);
  return *found;
}

}  // namespace

TEST_SUITE_BEGIN("unit");

TEST_CASE("a bundle has what a bug report needs and no planted secret in any file") {
  Home home;
  home.folder.write("config.yaml",
                    "mlxdash:\n  history_days: 14\n# token: hf_PLANTEDsecretPLANTED\n");
  home.folder.write("logs/mlx-dash.log",
                    "2026-11-26T10:00:00.1+0000 I [1] starts\n"
                    "2026-11-26T10:00:01.1+0000 E [1] asked with {\"prompt\": \"PLANTED diary\"}\n"
                    "2026-11-26T10:00:02.1+0000 W [1] /home/planteduser/x is gone\n"
                    "2026-11-26T10:00:03.1+0000 I [1] Authorization: Bearer PLANTEDbearer\n");
  std::vector<monitor::Session> sessions = {
      {.model_name = "PLANTED-model", .started_at_s = 1, .ended_at_s = 2}};
  monitor::History::open(home.folder.path / "mlxdash.db").write({}, sessions);
  const auto entries = collect(Redactor("/home/x", "", ""), "1.2.3");
  for (const Entry& entry : entries) {
    CHECK_MESSAGE(!contains(entry.text, "PLANTED"), entry.name);
    CHECK_MESSAGE(!contains(entry.text, "planteduser"), entry.name);
  }
  CHECK(contains(text_of(entries, "versions.json"), "1.2.3"));
  CHECK(contains(text_of(entries, "hardware.json"), "memory_bytes"));
  CHECK(contains(text_of(entries, "config/mlx-infrastructure.yaml"), "history_days: 14"));
  CHECK(contains(text_of(entries, "databases.json"), "\"sessions\": 1"));
  const std::string errors = text_of(entries, "errors.txt");
  CHECK(contains(errors, " E [1] asked"));
  CHECK(contains(errors, "~/x is gone"));
  CHECK(!contains(errors, "starts"));
  CHECK(contains(text_of(entries, "logs/mlx-dash.log"), "starts"));
}

TEST_CASE("the zip is one that libzip reads and that only its owner reads") {
  testing::TestingFolder folder;
  const auto file = folder.path / "out.zip";
  write_zip(file, {{"a.txt", "hello"}, {"logs/b.log", std::string(100'000, 'x')}});
  struct stat status{};
  REQUIRE(::stat(file.c_str(), &status) == 0);
  CHECK((status.st_mode & 0077) == 0);
  zip_t* archive = zip_open(file.c_str(), ZIP_RDONLY | ZIP_CHECKCONS, nullptr);
  REQUIRE(archive);
  CHECK(zip_get_num_entries(archive, 0) == 2);
  zip_file_t* entry = zip_fopen(archive, "a.txt", 0);
  char text[16] = {};
  CHECK(zip_fread(entry, text, sizeof text) == 5);
  CHECK(std::string(text) == "hello");
  zip_fclose(entry);
  zip_discard(archive);
  write_zip(file, {{"c.txt", "anew"}});  // takes its place
  CHECK(folder.entries() == 1);
  CHECK(testing::refusal_of([&] { write_zip(folder.path / "no/such/folder/x.zip", {{"a", "b"}}); },
                            ErrorKind::kIo) != "");
}

TEST_CASE("faults are found with what to do") {
  Home home;
  home.folder.write("config.yaml", "mlxdash:\n  history_day: 14\n");
  home.folder.write("mlxdash.db", std::string(5000, 'x'));
  const auto findings = check_all();
  const Finding& settings = finding_of(findings, "settings of mlx-dash");
  CHECK(!settings.is_good);
  CHECK(contains(settings.found, "history_days"));
  const Finding& history = finding_of(findings, "history of mlx-dash");
  CHECK(!history.is_good);
  CHECK(contains(history.action, "move"));
  const Finding& ollama = finding_of(findings, "Ollama");
  CHECK(!ollama.is_good);
  CHECK(contains(ollama.action, "ollama"));
  CHECK(finding_of(findings, "runs of mlx-toolkit").is_good);
  CHECK(to_json(findings).size() == findings.size());
}

TEST_SUITE_END();

}  // namespace toolkit::diagnose
