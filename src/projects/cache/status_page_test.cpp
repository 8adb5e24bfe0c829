#include "projects/cache/status_page.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "core/base/testing.h"
#include "core/model_store/utc_time.h"
#include "projects/cache/page.h"
#include "projects/cache/stats_page.h"

namespace toolkit::cache {

namespace {

using testing::contains;

constexpr int64_t kNow = 1'795'275'868;

Status sample() {
  Status status{.layout = {"/c"}, .present = true, .limit_bytes = 1e9};
  model_store::ModelRecord kept;
  kept.name = model_store::parse_model_name("hf://org/model");
  kept.size_bytes = 310'000'000;
  kept.state = "ready";
  kept.last_used = model_store::utc_text(kNow);
  model_store::AppUse use;
  use.name = "Chat";
  use.path = "/apps/chat";
  kept.uses = {use};
  model_store::ModelRecord found = kept;
  found.name = model_store::parse_model_name("ollama://llama3.2:1b");
  found.is_symlink = true;
  found.uses.clear();
  found.last_used.clear();
  model_store::ModelRecord damaged = kept;
  damaged.name = model_store::parse_model_name("hf://org/bad");
  damaged.state = "damaged";
  status.models = {kept, found, damaged};
  model_store::AppRecord app;
  app.name = "Chat";
  app.path = "/apps/chat";
  app.models = 2;
  status.apps = {app};
  return status;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("status: models, apps, how full it is - plain when piped") {
    const std::string page = to_page(sample(), kNow, false, false);
    CHECK(contains(page, "hf://org/model        310 MB  Chat     today      ready"));
    CHECK(contains(page, "ollama://llama3.2:1b  310 MB  -        never      found"));
    CHECK(contains(page, "Chat       2  /apps/chat"));
    CHECK(contains(page, "3 models, 620 MB kept here, 1 shown from other programs."));
    CHECK(contains(page, "████████████░░░░░░░░  62 % of 1.00 GB"));
    CHECK(contains(page, "1 model not whole"));
    CHECK(!contains(page, "\x1b"));
    CHECK(!contains(page, "State    Path"));
    CHECK(contains(to_page(sample(), kNow, true, false), "State    Path"));
  }

  TEST_CASE("status: colour marks what is damaged") {
    const std::string page = to_page(sample(), kNow, false, true);
    CHECK(contains(page, "\x1b[31mhf://org/bad"));
    CHECK(contains(page, "\x1b[1mModel"));
  }

  TEST_CASE("status: no cache yet, an empty one, a check") {
    Status none{.layout = {"/c"}};
    CHECK(contains(to_page(none, kNow, false, false), "There is no model cache at /c yet"));
    none.present = true;
    CHECK(contains(to_page(none, kNow, false, false), "None yet: `mlx-cache add"));
    Status checked = sample();
    checked.checked = true;
    CHECK(contains(to_page(checked, kNow, false, false), "Every file is there in full."));
    CHECK(to_json(checked)["ok"] == true);
    model_store::Fault fault;
    fault.model = checked.models[0].name;
    fault.file = "a\x1b[2J";
    checked.faults = {fault};
    CHECK(!contains(to_page(checked, kNow, false, false), "\x1b"));
    CHECK(to_json(checked)["ok"] == false);
  }

  TEST_CASE("status: the keys that other programs read") {
    const nlohmann::json value = to_json(sample());
    for (const char* key : {"cache_dir", "present", "models", "apps", "kept_bytes", "limit_bytes"})
      CHECK_MESSAGE(value.contains(key), key);
    CHECK(!value.contains("ok"));
    for (const char* key : {"model", "source", "identifier", "path", "size_bytes", "downloaded_at",
                            "last_used", "is_symlink", "state", "apps"})
      CHECK_MESSAGE(value["models"][0].contains(key), key);
    CHECK(value["models"][0]["apps"][0]["kind"] == "linked");
    CHECK(value["kept_bytes"] == 620'000'000);
  }

  TEST_CASE("stats: what sharing saves, in words and for programs") {
    model_store::DiskUse use;
    use.places = {{model_store::Place::kCache, "/c", 1, 3, 3000, 0, 1000}};
    use.named_bytes = 3000;
    use.used_bytes = 1000;
    const std::vector<model_store::Inventory> inventories{
        {.place = model_store::Place::kOllama, .problems = {"x: torn"}}};
    const std::string page = to_page(use, inventories, false, false);
    CHECK(contains(page, "mlx-cache       1      3  3.00 KB    0 B  1.00 KB  /c"));
    CHECK(contains(page, "saved               2.00 KB"));
    CHECK(contains(page, " 67 % saved"));
    CHECK(contains(page, "1 file or folder could not be read"));
    CHECK(contains(to_page(use, inventories, true, false), "x: torn"));
    const nlohmann::json value = to_json(use, inventories);
    CHECK(value["saved_bytes"] == 2000);
    CHECK(value["stores"][0]["store"] == "mlx-cache");
    CHECK(value["problems"][0]["store"] == "Ollama");
  }

  TEST_CASE("bars and counts") {
    CHECK(bar(0) == "░░░░░░░░░░░░░░░░░░░░   0 %");
    CHECK(bar(2.5) == "████████████████████ 250 %");
    CHECK(counted(1, "model") == "1 model");
    CHECK(counted(0, "model") == "0 models");
  }
}

}  // namespace toolkit::cache
