#include "projects/finetune/method.h"

#include <doctest/doctest.h>

#include "core/base/error.h"

using namespace toolkit;
using namespace toolkit::finetune;

namespace {

Config settings(const std::string& method) {
  Config config;
  config.model = "some-model";
  config.data = "rows.jsonl";
  config.method = method;
  return config;
}

std::string refusal(const Config& config) {
  try {
    check(config);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

bool says(const Config& config, const std::string& words) {
  return refusal(config).find(words) != std::string::npos;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("every method is accepted as it is") {
    for (const char* method : {"lora", "qlora", "dora", "full"}) {
      CAPTURE(method);
      CHECK(refusal(settings(method)) == "");
    }
  }

  TEST_CASE("full fine-tuning refuses what belongs to LoRA and int8") {
    Config config = settings("full");
    config.rank = 16;
    CHECK(says(config, "--rank belongs to LoRA"));
    config = settings("full");
    config.targets = {"mlp"};
    CHECK(says(config, "--targets belongs to LoRA"));
    config = settings("full");
    config.dropout = 0.1;
    CHECK(says(config, "--dropout belongs to LoRA"));
    config = settings("full");
    config.compute = "int8";
    CHECK(says(config, "use --compute f32"));
  }

  TEST_CASE("combinations that cannot work are refused with what would") {
    Config config = settings("dora");
    config.init = "pissa";
    CHECK(says(config, "--method lora --init pissa"));
    config = settings("lora");
    config.quantize_group = 32;
    CHECK(says(config, "--method lora does not pack it"));
    config = settings("qlora");
    config.quantize_group = 48;
    CHECK(says(config, "expected 32, 64 or 128"));
    config = settings("lora");
    config.dropout = 1.0;
    CHECK(says(config, "dropout"));
    config = settings("lora");
    config.ranks = {"q_proj"};
    CHECK(says(config, "q_proj=16"));
    config = settings("lora");
    config.targets = {"layers.x.mlp"};
    CHECK(says(config, "layers.0-5.mlp"));
  }

  TEST_CASE("names and packing of methods") {
    Config config = settings("qlora");
    config.rslora = true;
    config.init = "pissa";
    config.quantize_group = 32;
    CHECK(method_name(config) == "qlora, rsLoRA, PiSSA");
    CHECK(base_packing(config).bits == 4);
    CHECK(base_packing(config).group_size == 32);
    CHECK(base_packing(settings("lora")).bits == 0);
  }

  TEST_CASE("a learning rate of 0 is refused") {
    Config config = settings("lora");
    CHECK(refusal(config) == "");
    config.learning_rate = 0;
    CHECK(says(config, "or -1 for the rate of objective and method"));
  }
}
