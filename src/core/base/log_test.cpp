#include "core/base/log.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/paths.h"

namespace fs = std::filesystem;

namespace {

/// Points MLX_INFRASTRUCTURE_HOME at a fresh folder for one test.
struct TemporaryHome {
  fs::path path = fs::temp_directory_path() / ("log_test-" + std::to_string(::getpid()));
  TemporaryHome() {
    fs::remove_all(path);
    ::setenv("MLX_INFRASTRUCTURE_HOME", path.c_str(), 1);
  }
  ~TemporaryHome() {
    toolkit::start_log("x", toolkit::LogLevel::kOff);
    ::unsetenv("MLX_INFRASTRUCTURE_HOME");
    fs::remove_all(path);
  }
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("log: lines of the level and above reach the file in the home folder") {
    TemporaryHome home;
    toolkit::start_log("mlx-toolkit", toolkit::LogLevel::kInfo);
    CHECK(toolkit::log_file() == home.path / "logs" / "mlx-toolkit.log");
    toolkit::log_debug("hidden {}", 1);
    toolkit::log_info("shown {}", 2);
    toolkit::log_error("bad {{}} {}", "{}");
    const std::string text = toolkit::read_file(toolkit::log_file());
    CHECK(text.find("hidden") == std::string::npos);
    CHECK(text.find(" I [") != std::string::npos);
    CHECK(text.find("shown 2") != std::string::npos);
    CHECK(text.find("bad {} {}") != std::string::npos);
  }

  TEST_CASE("log: a home that cannot be written to is no failure") {
    TemporaryHome home;
    toolkit::write_file_atomically(home.path, "a file where the folder should be");
    toolkit::start_log("mlx-toolkit", toolkit::LogLevel::kInfo);
    CHECK(toolkit::log_file().empty());
    toolkit::log_info("goes nowhere");
  }

  TEST_CASE("log: level names") {
    CHECK(toolkit::log_level_from_name("warning") == toolkit::LogLevel::kWarning);
    CHECK_THROWS_AS(toolkit::log_level_from_name("loud"), toolkit::Error);
  }

  TEST_CASE("paths: the user's home is shown and read as ~") {
    const std::string home = std::getenv("HOME") ? std::getenv("HOME") : "";
    if (home.size() < 2) return;
    CHECK(toolkit::shown_path(home + "/x/y") == "~/x/y");
    CHECK(toolkit::expanded_path("~/x") == fs::path(home) / "x");
    CHECK(toolkit::shown_path("/usr/x") == "/usr/x");
  }
}
