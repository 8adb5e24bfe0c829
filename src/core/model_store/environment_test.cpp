#include <doctest/doctest.h>

#include <cstdlib>
#include <map>

#include "core/base/testing.h"
#include "core/model_store/settings.h"

namespace toolkit::model_store {

namespace {

using testing::TestingFolder;

/// Sets variables for a test; all that matter are empty before and as they were afterwards.
class Variables {
 public:
  explicit Variables(const std::map<std::string, std::string>& values) {
    for (const char* name :
         {"HOME", "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME",
          "HF_ENDPOINT", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_TOKEN_PATH", "OLLAMA_MODELS",
          "OLLAMA_HOST"}) {
      const char* value = std::getenv(name);
      before_[name] = value ? value : "";
      ::unsetenv(name);
    }
    for (const auto& [name, value] : values) ::setenv(name.c_str(), value.c_str(), 1);
  }
  ~Variables() {
    for (const auto& [name, value] : before_)
      if (value.empty())
        ::unsetenv(name.c_str());
      else
        ::setenv(name.c_str(), value.c_str(), 1);
  }

 private:
  std::map<std::string, std::string> before_;
};

std::string host(const std::string& value) {
  const Variables variables({{"HOME", "/h"}, {"OLLAMA_HOST", value}});
  return read_environment().ollama_host;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("where the Hugging Face cache lies") {
    using Values = std::map<std::string, std::string>;
    for (const auto& [values, cache] :
         {std::pair<Values, std::string>{{{"HOME", "/h"}}, "/h/.cache/huggingface/hub"},
          {{{"HOME", "/h"}, {"XDG_CACHE_HOME", "/x"}}, "/x/huggingface/hub"},
          {{{"HOME", "/h"}, {"XDG_CACHE_HOME", "/x"}, {"HF_HOME", "~/f"}}, "/h/f/hub"},
          {{{"HOME", "/h"}, {"HF_HOME", "/f"}, {"HUGGINGFACE_HUB_CACHE", "/g"}}, "/g"},
          {{{"HOME", "/h"}, {"HUGGINGFACE_HUB_CACHE", "/g"}, {"HF_HUB_CACHE", "/i"}}, "/i"}}) {
      const Variables variables(values);
      CHECK(read_environment().hub_cache == cache);
    }
  }

  TEST_CASE("the hub's endpoint, token file and switch") {
    {
      const Variables variables(std::map<std::string, std::string>{{"HOME", "/h"}});
      const Environment environment = read_environment();
      CHECK(environment.hub_endpoint == "https://huggingface.co");
      CHECK(environment.hub_token_file == "/h/.cache/huggingface/token");
      CHECK(!environment.hub_offline);
    }
    const Variables variables({{"HOME", "/h"},
                               {"HF_ENDPOINT", "http://127.0.0.1:8000/"},
                               {"HF_TOKEN_PATH", "~/t"},
                               {"HF_HUB_OFFLINE", "true"}});
    const Environment environment = read_environment();
    CHECK(environment.hub_endpoint == "http://127.0.0.1:8000");
    CHECK(environment.hub_token_file == "/h/t");
    CHECK(environment.hub_offline);
  }

  TEST_CASE("Ollama's store and server as Ollama itself reads them") {
    {
      const Variables variables(std::map<std::string, std::string>{{"HOME", "/h"}});
      CHECK(read_environment().ollama_models == "/h/.ollama/models");
    }
    {
      const Variables variables({{"HOME", "/h"}, {"OLLAMA_MODELS", " \"/m\" "}});
      CHECK(read_environment().ollama_models == "/m");
    }
    CHECK(host("") == "http://127.0.0.1:11434");
    CHECK(host("0.0.0.0") == "http://127.0.0.1:11434");
    CHECK(host("0.0.0.0:8080") == "http://127.0.0.1:8080");
    CHECK(host(":8080") == "http://127.0.0.1:8080");
    CHECK(host("[::]:8080") == "http://[::1]:8080");
    CHECK(host("::1") == "http://[::1]:11434");
    CHECK(host("example.com") == "http://example.com:11434");
    CHECK(host("http://example.com") == "http://example.com:80");
    CHECK(host("https://example.com/api") == "https://example.com:443");
    CHECK(host("example.com:99999") == "http://example.com:11434");
  }

  TEST_CASE("where LM Studio lives") {
    const TestingFolder home;
    const Variables variables(std::map<std::string, std::string>{{"HOME", home.path.string()}});
    CHECK(read_environment().lm_studio_home == home.path / ".lmstudio");
    std::filesystem::create_directories(home.path / ".cache/lm-studio");
    CHECK(read_environment().lm_studio_home == home.path / ".cache/lm-studio");
    home.write(".lmstudio-home-pointer", "/somewhere/else\n");
    CHECK(read_environment().lm_studio_home == "/somewhere/else");
  }
}

}  // namespace toolkit::model_store
