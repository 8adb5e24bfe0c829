#include "core/monitor/preferences.h"

#include <cstdlib>

#include "core/base/atomic_file.h"
#include "core/base/testing.h"

namespace toolkit::monitor {

namespace {

struct Home {
  testing::TestingFolder folder;
  Home() { ::setenv("MLX_INFRASTRUCTURE_HOME", folder.path.c_str(), 1); }
  ~Home() { ::unsetenv("MLX_INFRASTRUCTURE_HOME"); }
};

}  // namespace

TEST_SUITE_BEGIN("unit");

TEST_CASE("preferences come from section mlxdash and are written back with all else kept") {
  Home home;
  CHECK(load_preferences().polling_interval == 1000);
  const auto file = home.folder.write("config.yaml",
                                      "# mine\nmlxcache:\n  auto_clean: true\nmlxdash:\n"
                                      "  polling_interval: 2000  # slow\n");
  CHECK(load_preferences().polling_interval == 2000);
  save_preference("polling_interval", {"500"});
  save_preference("servers", {"127.0.0.1:8080", "http://box:9000/"});
  const Preferences now = load_preferences();
  CHECK(now.polling_interval == 500);
  CHECK(now.servers.size() == 2);
  const std::string text = read_file(file);
  CHECK(testing::contains(text, "# mine"));
  CHECK(testing::contains(text, "# slow"));
  CHECK(testing::contains(text, "auto_clean: true"));
}

TEST_CASE("wrong values and keys are refused and nothing is written") {
  Home home;
  CHECK(testing::contains(testing::refusal_of([] { save_preference("poling_interval", {"1"}); }),
                          "polling_interval"));
  CHECK(testing::refusal_of([] { save_preference("speed_interval", {"3"}); }) != "");
  CHECK(testing::refusal_of([] { save_preference("temperature_unit", {"kelvin"}); }) != "");
  CHECK(home.folder.entries() == 0);
  home.folder.write("config.yaml", "mlxdash:\n  notification: true\n");
  CHECK(testing::contains(testing::refusal_of([] { load_preferences(); }), "config.yaml:2"));
}

TEST_CASE("addresses of servers are whole and none twice") {
  Preferences preferences{.ollama_host = "box:11434",
                          .servers = {"127.0.0.1:8080/", "http://box:11434"}};
  CHECK(preferences.urls() == std::vector<std::string>{"http://box:11434", "http://127.0.0.1:11435",
                                                       "http://127.0.0.1:8080"});
}

TEST_CASE("an OLLAMA_HOST that names the proxy is not Ollama's own address") {
  ::setenv("OLLAMA_HOST", "127.0.0.1:11435", 1);
  CHECK(Preferences().ollama_url() == "http://127.0.0.1:11434");
  CHECK(Preferences{.proxy_port = 9000}.ollama_url() == "http://127.0.0.1:11435");
  ::unsetenv("OLLAMA_HOST");
}

TEST_CASE("temperatures in both units") {
  CHECK(shown_temperature(41.4, "celsius") == "41 °C");
  CHECK(shown_temperature(41, "fahrenheit") == "106 °F");
}

TEST_SUITE_END();

}  // namespace toolkit::monitor
