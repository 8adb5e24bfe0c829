#include "core/checkpoint/gguf_config.h"
#include "core/checkpoint/gguf_vocabulary.h"
#include "fuzz/target.h"

/// A GGUF file's start: header, then what its metadata says of configuration and vocabulary.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace toolkit;
  return fuzz::expect_no_crash([&] {
    const std::string file = "fuzz.gguf";
    const auto header = checkpoint::parse_gguf_header({data, size}, size, file);
    for (const auto& tensor : header.tensors)
      if (tensor.begin > size || tensor.size_bytes > size - tensor.begin) std::abort();
    checkpoint::vocabulary_of(header, file);
    const auto& architecture =
        checkpoint::find_gguf_architecture(header.text("general.architecture").value_or(""), file);
    checkpoint::config_from_gguf(header, architecture, {.vocabulary_size = 100}, file);
  });
}
