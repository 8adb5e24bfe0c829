#include "core/text/gguf_tokenizer.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "core/base/error.h"
#include "core/text/pre_tokenizers.h"

namespace toolkit::text {
namespace {

using Json = nlohmann::ordered_json;
using Ids = std::unordered_map<std::string_view, int32_t>;
using Pair = std::pair<std::string_view, std::string_view>;

enum TokenType { kUnknown = 2, kControl = 3, kUserDefined = 4 };

constexpr std::string_view kSpace = "\xE2\x96\x81";  // SentencePiece's visible space

std::string json_string(std::string_view text) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    fail(ErrorKind::kUserInput, "GGUF: a token or merge is not UTF-8 text");
  }
}

void check(const GgufVocabulary& vocabulary) {
  const size_t count = vocabulary.tokens.size();
  if (count == 0) fail(ErrorKind::kUserInput, "GGUF: tokenizer.ggml.tokens is missing or empty");
  const auto same_size = [&](size_t size, const char* name) {
    if (size == 0 || size == count) return;
    fail(ErrorKind::kUserInput,
         "GGUF: tokenizer.ggml.{} has {} entries, expected {} (one per token)", name, size, count);
  };
  same_size(vocabulary.types.size(), "token_type");
  same_size(vocabulary.scores.size(), "scores");
  for (const auto& [id, name] : {std::pair(vocabulary.bos, "bos"),
                                 {vocabulary.eos, "eos"},
                                 {vocabulary.unknown, "unknown"},
                                 {vocabulary.padding, "padding"}}) {
    if (id >= static_cast<int64_t>(count)) {
      fail(ErrorKind::kUserInput, "GGUF: tokenizer.ggml.{}_token_id is {}, but there are {} tokens",
           name, id, count);
    }
  }
  if (vocabulary.add_bos && vocabulary.bos < 0) {
    fail(ErrorKind::kUserInput, "GGUF: tokenizer.ggml.add_bos_token is set without bos_token_id");
  }
  if (vocabulary.add_eos && vocabulary.eos < 0) {
    fail(ErrorKind::kUserInput, "GGUF: tokenizer.ggml.add_eos_token is set without eos_token_id");
  }
}

// Tokens that are matched whole in any text; the rest only arises from merging.
std::string added_tokens(const GgufVocabulary& vocabulary, const std::vector<std::string>& tokens) {
  std::string result = "[";
  for (size_t i = 0; i < tokens.size(); ++i) {
    const auto id = static_cast<int32_t>(i);
    const int type = vocabulary.types.empty() ? 1 : vocabulary.types[i];
    const bool special = type == kUnknown || type == kControl || id == vocabulary.bos ||
                         id == vocabulary.eos || id == vocabulary.unknown ||
                         id == vocabulary.padding;
    const bool respelled = tokens[i] != vocabulary.tokens[i];
    if (tokens[i].empty() || respelled || (!special && type != kUserDefined)) continue;
    if (result.size() > 1) result += ',';
    result +=
        fmt::format(R"({{"id":{},"content":{},"single_word":false,"lstrip":false,"rstrip":false,)"
                    R"("normalized":false,"special":{}}})",
                    id, json_string(tokens[i]), special);
  }
  return result + "]";
}

std::string post_processor(const GgufVocabulary& vocabulary) {
  if (!vocabulary.add_bos && !vocabulary.add_eos) return "null";
  Json parts = Json::array();
  Json special = Json::object();
  const auto add = [&](int32_t id) {
    const std::string& token = vocabulary.tokens[static_cast<size_t>(id)];
    parts.push_back({{"SpecialToken", {{"id", token}, {"type_id", 0}}}});
    special[token] = {{"id", token}, {"ids", {id}}, {"tokens", {token}}};
  };
  if (vocabulary.add_bos) add(vocabulary.bos);
  parts.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
  if (vocabulary.add_eos) add(vocabulary.eos);
  const Json pair = {{{"Sequence", {{"id", "A"}, {"type_id", 0}}}},
                     {{"Sequence", {{"id", "B"}, {"type_id", 1}}}}};
  return Json{{"type", "TemplateProcessing"},
              {"single", parts},
              {"pair", pair},
              {"special_tokens", special}}
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string vocab_json(const std::vector<std::string>& tokens) {
  std::string result = "{";
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0) result += ',';
    result += json_string(tokens[i]) + ':' + std::to_string(i);
  }
  return result + "}";
}

std::string merges_json(const std::vector<Pair>& merges) {
  std::string result = "[";
  for (const auto& [left, right] : merges) {
    if (result.size() > 1) result += ',';
    result += '[' + json_string(left) + ',' + json_string(right) + ']';
  }
  return result + "]";
}

std::vector<Pair> merges_of_file(const GgufVocabulary& vocabulary) {
  std::vector<Pair> merges;
  merges.reserve(vocabulary.merges.size());
  for (const std::string_view merge : vocabulary.merges) {
    const size_t space = merge.find(' ', 1);
    if (space == std::string_view::npos || space + 1 == merge.size()) {
      fail(ErrorKind::kUserInput,
           "GGUF: tokenizer.ggml.merges[{}] is '{}', expected two tokens with a space between",
           merges.size(), merge.substr(0, 60));
    }
    merges.emplace_back(merge.substr(0, space), merge.substr(space + 1));
  }
  return merges;
}

size_t characters(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

// SentencePiece joins the pair whose result has the highest score: every way to cut a token into
// two tokens becomes a merge, in the order of those scores. Gemma's scores do not say the order in
// which its merges were learned; there (no space prefix) the order of the tokens does.
std::vector<Pair> merges_of_scores(const GgufVocabulary& vocabulary,
                                   const std::vector<std::string>& tokens) {
  if (vocabulary.add_space_prefix && vocabulary.scores.empty()) {
    fail(ErrorKind::kUserInput, "GGUF: tokenizer.ggml.scores and merges are both missing");
  }
  Ids ids;
  for (size_t i = 0; i < tokens.size(); ++i) ids[tokens[i]] = static_cast<int32_t>(i);
  struct Merge {
    std::tuple<double, size_t, size_t> rank;  // score, characters left and right; greatest first
    Pair pair;
  };
  std::vector<Merge> merges;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const std::string_view token = tokens[i];
    const double score =
        vocabulary.add_space_prefix ? vocabulary.scores[i] : -static_cast<double>(i);
    std::vector<std::tuple<int32_t, int32_t, Pair>> cuts;
    for (size_t at = 1; at < token.size(); ++at) {
      if ((static_cast<unsigned char>(token[at]) & 0xC0) == 0x80) continue;
      const auto left = ids.find(token.substr(0, at)), right = ids.find(token.substr(at));
      if (left == ids.end() || right == ids.end()) continue;
      cuts.emplace_back(left->second, right->second, Pair(token.substr(0, at), token.substr(at)));
    }
    std::sort(cuts.begin(), cuts.end());
    for (const auto& [left, right, pair] : cuts) {
      merges.push_back({{score, characters(pair.first), characters(pair.second)}, pair});
    }
  }
  std::stable_sort(merges.begin(), merges.end(),
                   [](const Merge& a, const Merge& b) { return a.rank > b.rank; });
  std::vector<Pair> result;
  result.reserve(merges.size());
  for (const Merge& merge : merges) result.push_back(merge.pair);
  return result;
}

struct Parts {
  std::string normalizer = "null", pre_tokenizer, decoder, model_options, merges;
};

std::string assemble(const GgufVocabulary& vocabulary, const std::vector<std::string>& tokens,
                     const Parts& parts) {
  return R"({"version":"1.0","truncation":null,"padding":null,"added_tokens":)" +
         added_tokens(vocabulary, tokens) + R"(,"normalizer":)" + parts.normalizer +
         R"(,"pre_tokenizer":)" + parts.pre_tokenizer + R"(,"post_processor":)" +
         post_processor(vocabulary) + R"(,"decoder":)" + parts.decoder +
         R"(,"model":{"type":"BPE","dropout":null,)" + parts.model_options + R"(,"vocab":)" +
         vocab_json(tokens) + R"(,"merges":)" + parts.merges + "}}";
}

std::string byte_level(const GgufVocabulary& vocabulary) {
  const PreTokenizer& pre = find_pre_tokenizer(vocabulary.pre);
  const Json bytes = {{"type", "ByteLevel"},
                      {"add_prefix_space", false},
                      {"trim_offsets", false},
                      {"use_regex", pre.split.empty()}};
  Json steps = Json::array();
  if (pre.single_digits) steps.push_back({{"type", "Digits"}, {"individual_digits", true}});
  if (!pre.split.empty()) {
    steps.push_back({{"type", "Split"},
                     {"pattern", {{"Regex", pre.split}}},
                     {"behavior", "Isolated"},
                     {"invert", false}});
  }
  steps.push_back(bytes);
  Parts parts;
  if (pre.nfc) parts.normalizer = R"({"type":"NFC"})";
  parts.pre_tokenizer = Json{{"type", "Sequence"}, {"pretokenizers", steps}}.dump();
  parts.decoder = bytes.dump();
  parts.model_options = fmt::format(
      R"("unk_token":null,"continuing_subword_prefix":"","end_of_word_suffix":"","fuse_unk":false,)"
      R"("byte_fallback":false,"ignore_merges":{})",
      pre.ignore_merges);
  parts.merges = merges_json(merges_of_file(vocabulary));
  return assemble(vocabulary, vocabulary.tokens, parts);
}

std::string sentence_piece(const GgufVocabulary& vocabulary) {
  std::vector<std::string> tokens = vocabulary.tokens;
  for (std::string& token : tokens) {
    // Runs of spaces are stored as real ones, while merging sees SentencePiece's.
    if (token.size() < 2 || token.find_first_not_of(' ') != std::string::npos) continue;
    const size_t count = token.size();
    token.clear();
    for (size_t i = 0; i < count; ++i) token += kSpace;
  }
  const Json replace_back = {
      {"type", "Replace"}, {"pattern", {{"String", kSpace}}}, {"content", " "}};
  Json decoders = {replace_back, {{"type", "ByteFallback"}}, {{"type", "Fuse"}}};
  Parts parts;
  if (vocabulary.add_space_prefix) {
    parts.pre_tokenizer = Json{
        {"type", "Metaspace"},
        {"replacement", kSpace},
        {"prepend_scheme", "first"},
        {"split", false}}.dump();
    decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  } else {
    parts.normalizer =
        Json{{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", kSpace}}.dump();
    parts.pre_tokenizer = "null";
  }
  parts.decoder = Json{{"type", "Sequence"}, {"decoders", decoders}}.dump();
  const std::string unknown = vocabulary.unknown < 0
                                  ? "null"
                                  : json_string(tokens[static_cast<size_t>(vocabulary.unknown)]);
  parts.model_options =
      R"("unk_token":)" + unknown +
      R"(,"continuing_subword_prefix":null,"end_of_word_suffix":null,"fuse_unk":true,)"
      R"("byte_fallback":true,"ignore_merges":false)";
  parts.merges = merges_json(vocabulary.merges.empty() ? merges_of_scores(vocabulary, tokens)
                                                       : merges_of_file(vocabulary));
  return assemble(vocabulary, tokens, parts);
}

}  // namespace

std::string tokenizer_json_from_gguf(const GgufVocabulary& vocabulary) {
  check(vocabulary);
  if (vocabulary.model == "gpt2") return byte_level(vocabulary);
  if (vocabulary.model == "llama") return sentence_piece(vocabulary);
  fail(ErrorKind::kUnsupported,
       "GGUF: tokenizer model '{}' (tokenizer.ggml.model) is not known; known: gpt2 (byte-level "
       "BPE), "
       "llama (SentencePiece BPE). Use the model's Hugging Face folder with its tokenizer.json.",
       vocabulary.model.substr(0, 60));
}

}  // namespace toolkit::text
