#include <doctest/doctest.h>

#include <filesystem>

#include "core/base/testing.h"
#include "core/checkpoint/adapter.h"
#include "core/checkpoint/input_file.h"
#include "core/checkpoint/model_files.h"
#include "mlx/mlx.h"
#include "projects/export/modelfile.h"
#include "projects/export/run.h"

namespace toolkit::export_model {

namespace {

namespace fs = std::filesystem;
using testing::contains;
using testing::TestingFolder;

const std::string kModel = std::string(TOOLKIT_FIXTURES) + "/models/llama";
const std::string kModule = "model.layers.2.mlp.down_proj";

std::string adapter_in(const TestingFolder& folder, float size) {
  checkpoint::Adapter adapter{.rank = 2, .scale = 1.0f, .keys = {"mlp.down_proj"}};
  adapter.num_layers = 1;
  adapter.tensors.emplace(kModule + ".lora_a", mx::full({64, 2}, size));
  adapter.tensors.emplace(kModule + ".lora_b", mx::random::normal({2, 32}));
  checkpoint::save_adapter(folder.path / "adapter", adapter);
  return (folder.path / "adapter").string();
}

std::string refusal(const ExportConfig& config) {
  return testing::refusal_of([&] { export_model(config, true); });
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("fuse writes a model with the adapter in it - and compares the losses") {
    const TestingFolder folder;
    folder.write("rows.jsonl", "{\"prompt\": \"hello\", \"completion\": \"the the\"}\n");
    const Result result = fuse({.model = kModel,
                                .adapter = adapter_in(folder, 0.2f),
                                .output = (folder.path / "fused").string(),
                                .data = (folder.path / "rows.jsonl").string()},
                               true);
    REQUIRE(result.merged);
    CHECK(result.merged->modules == 1);
    CHECK(result.merged->kept == doctest::Approx(1.0).epsilon(1e-4));
    REQUIRE(result.losses);
    CHECK(result.losses->after.value == doctest::Approx(result.losses->before.value).epsilon(1e-3));
    CHECK(result.notes.empty());  // nothing was quantized
    CHECK(contains(testing::refusal_of([&] {
                     fuse({.model = kModel,
                           .adapter = (folder.path / "adapter").string(),
                           .output = (folder.path / "fused").string()},
                          true);
                   }),
                   "already"));
  }

  TEST_CASE("a quantized model is not quantized silently again") {
    const TestingFolder folder;
    export_model({.model = kModel,
                  .output = (folder.path / "packed").string(),
                  .format = "mlx-quantized",
                  .group_size = 32},
                 true);
    const std::string packed = (folder.path / "packed").string();
    const std::string adapter = adapter_in(folder, 0.001f);
    const Result dense = fuse(
        {.model = packed, .adapter = adapter, .output = (folder.path / "dense").string()}, true);
    REQUIRE(dense.notes.size() == 1);
    CHECK(contains(dense.notes[0], "--quantize"));
    const auto read = checkpoint::open_model_files(folder.path / "dense");
    CHECK_FALSE(read->weight(kModule).quantized());
    const Result again = fuse({.model = packed,
                               .adapter = adapter,
                               .output = (folder.path / "again").string(),
                               .quantize = "4",
                               .group_size = 32},
                              true);
    CHECK(again.merged->noise > dense.merged->noise);
  }

  TEST_CASE("adapters go from one layout to the other and back") {
    const TestingFolder folder;
    const std::string adapter = adapter_in(folder, 0.2f);
    const auto convert = [&](const std::string& from, const char* format, const char* name) {
      const std::string to = (folder.path / name).string();
      export_model({.adapter = from, .output = to, .format = format}, true);
      return to;
    };
    const std::string peft = convert(adapter, "peft", "peft");
    CHECK(checkpoint::adapter_layout_of(peft) == checkpoint::AdapterLayout::kPeft);
    const std::string mlx = convert(peft, "mlx", "mlx");
    CHECK(checkpoint::adapter_layout_of(mlx) == checkpoint::AdapterLayout::kMlx);
    const auto before = checkpoint::load_adapter(adapter), after = checkpoint::load_adapter(mlx);
    REQUIRE(after.tensors.size() == before.tensors.size());
    for (const auto& [name, tensor] : before.tensors)
      CHECK(mx::array_equal(after.tensors.at(name), tensor).item<bool>());
  }

  TEST_CASE("Ollama: a folder with the model - its Modelfile and on request the adapter") {
    const TestingFolder folder;
    const fs::path out = folder.path / "ollama";
    // The scaling of the fixture's rotation is one that GGUF files are not made with.
    fs::copy(kModel, folder.path / "llama");
    std::string config = checkpoint::read_text(folder.path / "llama/config.json", 1 << 20);
    const size_t at = config.find("\"rope_scaling\"");
    REQUIRE(at != std::string::npos);
    config.replace(at, 14, "\"unused\"");
    folder.write("llama/config.json", config);
    const Result result = export_model({.model = (folder.path / "llama").string(),
                                        .adapter = adapter_in(folder, 0.2f),
                                        .output = out.string(),
                                        .format = "ollama",
                                        .type = "q8_0",
                                        .keep_adapter = true},
                                       true);
    CHECK(result.files == std::vector<std::string>{"Modelfile", "adapter.gguf", "model.gguf"});
    const std::string text = checkpoint::read_text(out / "Modelfile", 10000);
    CHECK(text.starts_with("FROM ./model.gguf\nADAPTER ./adapter.gguf\nTEMPLATE \"\"\""));
    CHECK(contains(text, "PARAMETER stop \"<|im_end|>\"\n"));
    CHECK(checkpoint::open_model_files(out / "model.gguf")->weight(kModule).bits == 8);
    CHECK(modelfile("x.gguf", "", "no family") == "FROM ./x.gguf\n");
  }

  TEST_CASE("what does not go together is refused before anything is read") {
    CHECK(contains(refusal({.output = "x", .format = "gguf"}), "needs --model"));
    CHECK(contains(refusal({.output = "x", .format = "peft"}), "needs --adapter"));
    CHECK(contains(refusal({.model = "m", .output = "x", .format = "hf", .type = "q8_0"}),
                   "expected f32, f16, bf16"));
    CHECK(contains(refusal({.model = "m", .output = "x", .format = "gguf", .keep_adapter = true}),
                   "--keep-adapter"));
    CHECK(contains(refusal({.model = "m", .output = "x", .format = "mlx-quantized", .bits = 7}),
                   "found 7"));
    CHECK(contains(refusal({.model = "m", .output = "x", .format = "hf", .group_size = 48}),
                   "found 48"));
    CHECK(contains(
        testing::refusal_of([] {
          fuse({.model = "m", .adapter = "a", .output = "x", .dtype = "f16", .quantize = "4"},
               true);
        }),
        "--dtype or --quantize"));
  }
}

}  // namespace toolkit::export_model
