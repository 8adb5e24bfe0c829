#include <sstream>

#include "core/text/gguf_tokenizer.h"
#include "core/text/tokenizer.h"
#include "fuzz/target.h"

/// A GGUF vocabulary, one entry per line: first the model, the pre-tokenizer, then tokens ("t ...")
/// with their types as first character, and merges ("m ...").
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace toolkit;
  return fuzz::expect_no_crash([&] {
    std::istringstream lines(fuzz::as_text(data, size));
    text::GgufVocabulary vocabulary;
    std::getline(lines, vocabulary.model);
    std::getline(lines, vocabulary.pre);
    for (std::string line; std::getline(lines, line);) {
      if (line.size() < 2) continue;
      if (line[0] == 'm') {
        vocabulary.merges.push_back(line.substr(2));
      } else {
        vocabulary.types.push_back((static_cast<uint8_t>(line[0]) - '0') % 7);
        if (vocabulary.types.back() < 0) vocabulary.types.back() = 0;
        vocabulary.tokens.push_back(line.substr(2));
        vocabulary.scores.push_back(static_cast<float>(vocabulary.tokens.size()) * -0.5f);
      }
    }
    if (!vocabulary.tokens.empty()) vocabulary.bos = vocabulary.eos = 0;
    const std::string json = text::tokenizer_json_from_gguf(vocabulary);
    const auto tokenizer = text::Tokenizer::from_json(json, "fuzz");
    tokenizer->encode("Hello \xe4\xb8\x96\xe7\x95\x8c  12 it's <s>\n", true);
  });
}
