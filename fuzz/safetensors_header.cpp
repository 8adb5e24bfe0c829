#include "core/checkpoint/safetensors.h"
#include "fuzz/target.h"

/// A safetensors file's start. What is accepted must lie inside the file.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace toolkit;
  return fuzz::expect_no_crash([&] {
    const auto header =
        checkpoint::parse_safetensors_header({data, size}, size, "fuzz.safetensors");
    for (const auto& [name, entry] : header.tensors)
      if (entry.begin > entry.end || entry.end > size) std::abort();
  });
}
