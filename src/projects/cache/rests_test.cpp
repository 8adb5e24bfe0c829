#include "projects/cache/rests.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "core/base/testing.h"

namespace fs = std::filesystem;
using namespace toolkit::cache;
using toolkit::testing::TestingFolder;

TEST_SUITE("unit") {
  TEST_CASE("rests: ours are found and removed, those of other programs stay") {
    const TestingFolder home;
    toolkit::model_store::Environment environment;
    environment.hub_cache = home.path / "hub";
    environment.ollama_models = home.path / "ollama";
    environment.lm_studio_home = home.path / "lmstudio";
    const fs::path blob = home.write("hub/models--org--m/blobs/abc", "weights");
    const fs::path half = home.write("hub/models--org--m/blobs/abc.00112233.incomplete", "wei");
    const fs::path link = home.path / "hub/models--org--m/blobs/abd.00112233.incomplete";
    fs::create_hard_link(blob, link);
    home.write("hub/models--org--m/blobs/file.00112233.incomplete", "{}");
    home.write("ollama/manifests/.mlx-cache-0011223344556677", "x");
    const fs::path other = home.write("ollama/blobs/.mlx-cache-notes", "x");
    home.write("ollama/.mlx-cache/host/library/m/.latest.json.part-12-0", "{");
    const fs::path foreign = home.write("ollama/manifests/.latest.json.part-12-0", "{");
    home.write("lmstudio/models/org/m/.mlx-cache-8899aabbccddeeff", "x");
    fs::create_symlink(blob, home.path / "ollama/.mlx-cache-aaaaaaaaaaaaaaaa");
    const auto rests = find_rests(environment);
    CHECK(rests.size() == 6);
    remove_rests(rests);
    CHECK(find_rests(environment).empty());
    CHECK(fs::exists(half));
    CHECK(fs::exists(other));
    CHECK(fs::exists(foreign));
    CHECK(fs::exists(blob));
    CHECK(!fs::exists(link));
    CHECK(find_rests({}).empty());
  }
}
