#include "core/text/tokenizer.h"
#include "fuzz/target.h"

/// A tokenizer.json, then encoding and decoding with it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace toolkit;
  return fuzz::expect_no_crash([&] {
    const auto tokenizer = text::Tokenizer::from_json(fuzz::as_text(data, size), "fuzz");
    const auto encoding = tokenizer->encode("Hello \xe4\xb8\x96\xe7\x95\x8c  12 it's <s>\n", true);
    tokenizer->decode(encoding.ids, true);
    tokenizer->token_of(-1);
    tokenizer->token_of(INT32_MAX);
  });
}
