#include <doctest/doctest.h>

#include "projects/cache/publish_ollama.h"

namespace toolkit::cache {

namespace {

std::vector<std::string> names_in_ollama(const std::string& uri,
                                         const std::vector<std::string>& files) {
  model_store::Metadata metadata;
  metadata.name = model_store::parse_model_name(uri);
  for (const std::string& file : files) {
    model_store::FileRecord record;
    record.name = file;
    metadata.files.push_back(std::move(record));
  }
  std::vector<std::string> names;
  for (const OllamaModel& model : ollama_models_of(metadata)) {
    // Every name must be one that Ollama takes.
    const auto name = model_store::to_model_name(model.name);
    CHECK(model_store::parse_model_name(name.uri()) == name);
    names.push_back(name.identifier + (model.projector.empty() ? "" : " + " + model.projector));
  }
  return names;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_SUITE_BEGIN("unit");

TEST_CASE("the tag of a GGUF is its quantization") {
  CHECK(ollama_tag_of("SmolLM2-135M-Instruct.Q4_1.gguf") == "Q4_1");
  CHECK(ollama_tag_of("sub/llama-3.2-1b-instruct-q4_k_m.gguf") == "q4_k_m");
  CHECK(ollama_tag_of("x-IQ4_XS.gguf") == "IQ4_XS");
  CHECK(ollama_tag_of("x-F16.gguf") == "F16");
  CHECK(ollama_tag_of("model.gguf") == "model");
  CHECK(ollama_tag_of("my model (2).gguf") == "my-model--2-");
  CHECK(ollama_tag_of("-.gguf") == "model");
}

TEST_CASE("names that models get in Ollama") {
  CHECK(names_in_ollama("ollama://tiny:1b", {"model.gguf"}) == Names{"tiny:1b"});
  CHECK(names_in_ollama("hf://org/M-GGUF", {"m-Q4_0.gguf", "m-Q8_0.gguf", "README.md"}) ==
        Names{"hf.co/org/M-GGUF:Q4_0", "hf.co/org/M-GGUF:Q8_0"});
  CHECK(names_in_ollama("hf://org/v", {"v-Q4_0.gguf", "mmproj-v.gguf"}) ==
        Names{"hf.co/org/v:Q4_0 + mmproj-v.gguf"});
  CHECK(names_in_ollama("hf://org/m@v1.0", {"m-Q4_0.gguf"}) == Names{"hf.co/org/m:Q4_0-v1.0"});
  CHECK(names_in_ollama("hf://org/m", {"a/m-Q4_0.gguf", "b/m-Q4_0.gguf"}) ==
        Names{"hf.co/org/m:Q4_0", "hf.co/org/m:b-m-Q4_0"});
  CHECK(names_in_ollama("hf://org/m", {"m-00001-of-00002.gguf", "m-00002-of-00002.gguf"}).empty());
  CHECK(names_in_ollama("hf://org/m", {"model.safetensors"}).empty());
  CHECK(names_in_ollama("file:///models/My Own.gguf", {"My Own.gguf"}) ==
        Names{"local/My-Own:latest"});
}

TEST_CASE("a GGUF in several parts is named once - it is not shown to Ollama") {
  model_store::Metadata metadata;
  for (const char* name : {"q8/m-00001-of-00002.gguf", "q8/m-00002-of-00002.gguf", "m-Q4_0.gguf",
                           "model-00001-of-00002.safetensors"}) {
    model_store::FileRecord record;
    record.name = name;
    metadata.files.push_back(std::move(record));
  }
  CHECK(split_ggufs_of(metadata) == Names{"q8/m-00001-of-00002.gguf"});
}

TEST_SUITE_END();

}  // namespace toolkit::cache
