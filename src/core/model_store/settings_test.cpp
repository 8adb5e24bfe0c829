#include "core/model_store/settings.h"

#include <doctest/doctest.h>

#include <cstdlib>

#include "core/base/atomic_file.h"
#include "core/base/testing.h"

namespace toolkit::model_store {

namespace {

using testing::contains;
using testing::refusal_of;
using testing::TestingFolder;

constexpr const char* kSuiteFile = "suite/config.yaml";
constexpr const char* kStoreFile = "cache/config.yaml";

/// A home of its own, with the cache below it.
struct Home {
  TestingFolder folder;
  Home() {
    ::setenv("MLX_INFRASTRUCTURE_HOME", (folder.path / "suite").c_str(), 1);
    ::setenv("MLX_CACHE_DIR", (folder.path / "cache").c_str(), 1);
  }
  ~Home() {
    ::unsetenv("MLX_INFRASTRUCTURE_HOME");
    ::unsetenv("MLX_CACHE_DIR");
  }
  std::string text(const char* name) const { return read_file(folder.path / name); }
};

std::string origin(const std::string& key) {
  for (const auto& [name, from] : setting_origins())
    if (name == key) return from;
  return "";
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("defaults are those of the mission") {
    const Home home;
    const Settings settings = load_settings();
    CHECK(settings.cache_dir == "~/.mlx-cache");
    CHECK(settings.max_cache_size_gb == 100);
    CHECK(settings.auto_clean);
    CHECK(settings.ollama_sync);
    CHECK(origin("auto_clean") == "default");
  }

  TEST_CASE("the store's file goes over the suite's, each value says where it is from") {
    const Home home;
    home.folder.write(kSuiteFile,
                      "mlxdash:\n  polling_interval: 1000\nmlxcache:\n  max_cache_size_gb: 50\n"
                      "  auto_clean: false\n  cache_dir: /elsewhere\n");
    home.folder.write(kStoreFile, "max_cache_size_gb: 20.5\nfolders: [/a, /b]\n");
    const Settings settings = load_settings();
    CHECK(settings.max_cache_size_gb == 20.5);
    CHECK(!settings.auto_clean);
    CHECK(settings.cache_dir == "/elsewhere");
    CHECK(settings.folders == std::vector<std::string>{"/a", "/b"});
    CHECK(contains(origin("max_cache_size_gb"), kStoreFile));
    CHECK(contains(origin("auto_clean"), kSuiteFile));
    CHECK(origin("ollama_sync") == "default");
  }

  TEST_CASE("wrong keys and values are named with file and line") {
    const Home home;
    home.folder.write(kSuiteFile, "mlxcache:\n  max_cache_gb: 50\n");
    CHECK(contains(refusal_of([] { load_settings(); }),
                   "config.yaml:2: unknown setting 'max_cache_gb'"));
    home.folder.write(kSuiteFile, "mlxcache:\n  max_cache_size_gb: -1\n");
    CHECK(contains(refusal_of([] { load_settings(); }), "expected at least 0, found -1"));
    home.folder.write(kSuiteFile, "");
    home.folder.write(kStoreFile, "link: symlink\n");
    CHECK(contains(refusal_of([] { load_settings(); }), "expected one of auto, hard_link, clone"));
    home.folder.write(kStoreFile, "cache_dir: /x\n");
    CHECK(contains(refusal_of([] { load_settings(); }), "cannot stand in the folder it names"));
  }

  TEST_CASE("one setting is written, comments and the rest stay") {
    const Home home;
    home.folder.write(kSuiteFile, "# suite\nmlxdash:\n  launch_at_login: false  # no\n");
    save_setting("cache_dir", {"~/big disk/models"});
    CHECK(home.text(kSuiteFile) ==
          "# suite\nmlxdash:\n  launch_at_login: false  # no\nmlxcache:\n  cache_dir: \"~/big "
          "disk/models\"\n");
    home.folder.write(kStoreFile, "# mine\nauto_clean: true  # later\n");
    save_setting("auto_clean", {"false"});
    save_setting("max_cache_size_gb", {"200"});
    save_setting("folders", {"/a", "/b c"});
    CHECK(home.text(kStoreFile) ==
          "# mine\nauto_clean: false  # later\nmax_cache_size_gb: 200\nfolders: [\"/a\", \"/b "
          "c\"]\n");
    CHECK(load_settings().folders == std::vector<std::string>{"/a", "/b c"});
  }

  TEST_CASE("a value it may not have, and a file that cannot be edited, write nothing") {
    const Home home;
    CHECK(contains(refusal_of([] { save_setting("max_cache_size_gb", {"much"}); }),
                   "expected a number, found 'much'"));
    CHECK(contains(refusal_of([] { save_setting("link", {"symlink"}); }), "expected one of"));
    CHECK(contains(refusal_of([] { save_setting("autoclean", {"no"}); }),
                   "Did you mean 'auto_clean'?"));
    home.folder.write(kStoreFile, "{auto_clean: true}\n");
    CHECK(contains(refusal_of([] { save_setting("auto_clean", {"false"}); }),
                   "cannot be changed in place"));
    CHECK(home.text(kStoreFile) == "{auto_clean: true}\n");
  }
}

}  // namespace toolkit::model_store
