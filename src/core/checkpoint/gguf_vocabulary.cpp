#include "core/checkpoint/gguf_vocabulary.h"

#include "core/base/error.h"

namespace toolkit::checkpoint {

namespace {

const std::string kPrefix = "tokenizer.ggml.";

template <class T>
const T* list(const GgufHeader& header, const std::string& key, const std::string& file) {
  const auto found = header.metadata.find(kPrefix + key);
  if (found == header.metadata.end()) return nullptr;
  const T* values = std::get_if<T>(&found->second);
  if (!values)
    fail(ErrorKind::kUserInput, "{}: {}{} is a list of the wrong kind", file, kPrefix, key);
  return values;
}

int32_t token_id(const GgufHeader& header, const std::string& key, size_t count,
                 const std::string& file) {
  if (!header.metadata.contains(kPrefix + key)) return -1;
  const auto id = header.integer(kPrefix + key);
  // 0xFFFFFFFF stands for "none" in files of some converters.
  if (id && *id == int64_t{0xFFFFFFFF}) return -1;
  if (!id || *id < 0 || *id >= static_cast<int64_t>(count))
    fail(ErrorKind::kUserInput, "{}: expected {}{} to be a token id below {}, found {}", file,
         kPrefix, key, count, id ? std::to_string(*id) : "another kind of value");
  return static_cast<int32_t>(*id);
}

void check_length(size_t length, size_t expected, const char* key, const std::string& file) {
  if (length != expected)
    fail(ErrorKind::kUserInput, "{}: expected {} entries in {}{}, one per token, found {}", file,
         expected, kPrefix, key, length);
}

}  // namespace

std::optional<text::GgufVocabulary> vocabulary_of(const GgufHeader& header,
                                                  const std::string& file) {
  const auto model = header.text(kPrefix + "model");
  const auto* tokens = list<std::vector<std::string>>(header, "tokens", file);
  if (!model || !tokens) return std::nullopt;
  text::GgufVocabulary vocabulary;
  vocabulary.model = *model;
  vocabulary.pre = header.text(kPrefix + "pre").value_or("");
  vocabulary.tokens = *tokens;
  if (const auto* types = list<std::vector<int64_t>>(header, "token_type", file)) {
    check_length(types->size(), tokens->size(), "token_type", file);
    for (const int64_t type : *types) {
      if (type < 0 || type > 6)
        fail(ErrorKind::kUserInput, "{}: expected {}token_type from 0 to 6, found {}", file,
             kPrefix, type);
      vocabulary.types.push_back(static_cast<int32_t>(type));
    }
  }
  if (const auto* scores = list<std::vector<double>>(header, "scores", file)) {
    check_length(scores->size(), tokens->size(), "scores", file);
    for (const double score : *scores) vocabulary.scores.push_back(static_cast<float>(score));
  }
  if (const auto* merges = list<std::vector<std::string>>(header, "merges", file))
    vocabulary.merges = *merges;
  vocabulary.bos = token_id(header, "bos_token_id", tokens->size(), file);
  vocabulary.eos = token_id(header, "eos_token_id", tokens->size(), file);
  vocabulary.unknown = token_id(header, "unknown_token_id", tokens->size(), file);
  vocabulary.padding = token_id(header, "padding_token_id", tokens->size(), file);
  const bool sentence_piece = *model == "llama";
  vocabulary.add_bos = header.integer(kPrefix + "add_bos_token").value_or(sentence_piece) != 0;
  vocabulary.add_eos = header.integer(kPrefix + "add_eos_token").value_or(0) != 0;
  vocabulary.add_space_prefix = header.integer(kPrefix + "add_space_prefix").value_or(1) != 0;
  return vocabulary;
}

}  // namespace toolkit::checkpoint
