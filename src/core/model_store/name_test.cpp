#include "core/model_store/name.h"

#include <doctest/doctest.h>

#include "core/base/testing.h"

namespace toolkit::model_store {

namespace {

using testing::contains;

std::string refusal(const std::string& text) {
  return testing::refusal_of([&] { parse_model_name(text); });
}

void check_name(const std::string& text, Source source, const std::string& identifier,
                const std::string& folder) {
  INFO(text);
  const ModelName name = parse_model_name(text);
  CHECK(name.source == source);
  CHECK(name.identifier == identifier);
  CHECK(name.folder_name() == folder);
  CHECK(parse_model_name(name.uri()) == name);
  CHECK(model_name_from_identifier(identifier) == name);
  if (source != Source::kLocal) CHECK(model_name_from_folder(folder) == name);
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("Hugging Face names in every spelling") {
    const auto hub = Source::kHuggingFace;
    check_name("hf://org/model", hub, "org/model", "hf--org--model");
    check_name("hf://models/org/model", hub, "org/model", "hf--org--model");
    check_name("hf://models/models/x", hub, "models/x", "hf--models--x");
    check_name("hf://models/model/x", hub, "model/x", "hf--model--x");
    check_name("hf://Org-1/My.Model_2", hub, "Org-1/My.Model_2", "hf--Org-1--My.Model_2");
    check_name("hf://org/model@main", hub, "org/model", "hf--org--model");
    check_name("hf://org/model@v1.0", hub, "org/model@v1.0", "hf--org--model@v1.0");
    check_name("hf://org/model@a%2Fb", hub, "org/model@a/b", "hf--org--model@a%2Fb");
    check_name("hf://org/model@refs/pr/3", hub, "org/model@refs/pr/3",
               "hf--org--model@refs%2Fpr%2F3");
    check_name("hf://org/model@a--b", hub, "org/model@a--b", "hf--org--model@a%2D-b");
    check_name("https://huggingface.co/org/model", hub, "org/model", "hf--org--model");
    check_name("https://hf.co/org/model/", hub, "org/model", "hf--org--model");
    check_name("https://huggingface.co/org/model/tree/v2?x=1", hub, "org/model@v2",
               "hf--org--model@v2");
    CHECK(hub_name(parse_model_name("hf://org/model@v2")).revision == "v2");
    CHECK(hub_name(parse_model_name("hf://org/model")).repository == "org/model");
  }

  TEST_CASE("the path of one file belongs to parse_hub_name only") {
    CHECK(parse_hub_name("hf://org/model@v1/onnx/model.onnx").path == "onnx/model.onnx");
    CHECK(parse_hub_name("hf://org/model@refs/pr/3/a.gguf").path == "a.gguf");
    CHECK(parse_hub_name("https://huggingface.co/org/m/blob/main/a.gguf").path == "a.gguf");
    CHECK(
        contains(refusal("hf://org/model/a.gguf"), "names one file; the model is hf://org/model"));
    CHECK_THROWS_AS(parse_hub_name("hf://org/model/../../x"), Error);
  }

  TEST_CASE("Hugging Face names that are none, with the right spelling") {
    CHECK(contains(refusal("hf://gpt2"), "hf://openai-community/gpt2"));
    CHECK(contains(refusal("hf://model/org/name"), "hf://models/org/name, or hf://org/name"));
    CHECK(contains(refusal("hf://datasets/org/name"), "datasets are not models"));
    for (const char* bad :
         {"hf://org/a--b", "hf://org/..", "hf://../x", "hf://-o/m", "hf://org/m.git", "hf:///m",
          "hf://org/m@", "hf://org/m@../x", "hf://org/m@a//b", "hf://org/m@a\x1b[0m", "hf://o g/m",
          "hf://org/m\\x", "hf://", "hf://org/"})
      CHECK_MESSAGE(!refusal(bad).empty(), bad);
    CHECK(!contains(refusal("hf://org/m@a\x1b[0m"), "\x1b"));
    CHECK(!refusal("hf://org/" + std::string(97, 'a')).empty());
  }

  TEST_CASE("Ollama names: registry, namespace and tag have defaults") {
    const auto ollama = Source::kOllama;
    check_name("ollama://llama3.2", ollama, "llama3.2:latest", "ollama--llama3.2--latest");
    check_name("ollama://llama3.2:1b", ollama, "llama3.2:1b", "ollama--llama3.2--1b");
    check_name("ollama://library/llama3.2:1b", ollama, "llama3.2:1b", "ollama--llama3.2--1b");
    check_name("ollama://registry.ollama.ai/library/x:y", ollama, "x:y", "ollama--x--y");
    check_name("ollama://ann/x:y", ollama, "ann/x:y", "ollama--registry.ollama.ai--ann--x--y");
    check_name("ollama://hf.co/Org/Repo-GGUF:Q4_K_M", ollama, "hf.co/Org/Repo-GGUF:Q4_K_M",
               "ollama--hf.co--Org--Repo-GGUF--Q4_K_M");
    check_name("ollama://127.0.0.1:8080/library/x:y", ollama, "127.0.0.1:8080/library/x:y",
               "ollama--127.0.0.1%3A8080--library--x--y");
    check_name("ollama://a--b-:c", ollama, "a--b-:c", "ollama--a%2D-b%2D--c");
    CHECK(ollama_name(parse_model_name("ollama://x")).host == "registry.ollama.ai");
    CHECK(parse_ollama_name("x:y").tag == "y");
  }

  TEST_CASE("names that would share a folder do not") {
    CHECK(parse_model_name("ollama://a--b:c").folder_name() !=
          parse_model_name("ollama://a:b--c").folder_name());
    CHECK(parse_model_name("ollama://r/a:b").folder_name() !=
          parse_model_name("ollama://r--a:b").folder_name());
    const std::string part(80, 'x');
    const auto longest = parse_model_name("ollama://" + std::string(300, 'h') + "/" + part + "/" +
                                          part + ":" + part);
    CHECK(longest.folder_name().size() == 200);
    CHECK(!model_name_from_folder(longest.folder_name()));
  }

  TEST_CASE("Ollama names that are none") {
    for (const char* bad : {"ollama://", "ollama://:tag", "ollama://a/b/c/d", "ollama://.x",
                            "ollama://a.b/x", "ollama://x:", "ollama://x:a/b", "ollama://../../x",
                            "ollama://x:sha256:00", "ollama://h//x", "ollama://a b"})
      CHECK_MESSAGE(!refusal(bad).empty(), bad);
    CHECK(contains(refusal("ollama://a.b/x"), "is no namespace of an Ollama name"));
    CHECK(!refusal("ollama://" + std::string(81, 'a')).empty());
  }

  TEST_CASE("local models are absolute paths") {
    const ModelName name = parse_model_name("file:///data/my model/");
    CHECK(name.identifier == "/data/my model");
    CHECK(name.uri() == "file:///data/my%20model");
    CHECK(name.folder_name().starts_with("local--my_model--"));
    CHECK(name.folder_name().size() == std::string("local--my_model--01234567").size());
    CHECK(parse_model_name("/data/x/../my model") == name);
    CHECK(parse_model_name("file:///data/my%20model") == name);
    CHECK(parse_model_name("/data/100%/x").identifier == "/data/100%/x");
    CHECK(parse_model_name("/a/model").folder_name() != parse_model_name("/b/model").folder_name());
    CHECK(contains(refusal("file://data/x"), "file:///data/x"));
    CHECK(contains(refusal("/"), "absolute path"));
    CHECK(contains(refusal("/a\nb"), "control characters"));
  }

  TEST_CASE("a name without a scheme: what was probably meant") {
    CHECK(contains(refusal("org/model"), "Did you mean 'hf://org/model'?"));
    CHECK(contains(refusal("llama3.2:1b"), "Did you mean 'ollama://llama3.2:1b'?"));
    CHECK(contains(refusal("s3://x"), "found the scheme 's3'"));
    CHECK(contains(refusal(""), "hf://org/model, ollama://name:tag or file:///path"));
    CHECK(contains(testing::refusal_of([] { model_name_from_identifier("llama3.2"); }),
                   "Did you mean 'ollama://llama3.2'?"));
  }

  TEST_CASE("folders of others are no names") {
    for (const char* folder : {"hf--org", "x", "", ".hf--org--model.new", "hf--a--b--c",
                               "ollama--a", "hf--org--model@main", "local--x--01234567"})
      CHECK_MESSAGE(!model_name_from_folder(folder), folder);
  }
}

}  // namespace toolkit::model_store
