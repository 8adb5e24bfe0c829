#include "core/text/tokenizer_to_gguf.h"

#include <algorithm>
#include <unordered_map>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/text/pre_tokenizers.h"
#include "core/text/tokenizer.h"

namespace toolkit::text {
namespace {

enum TokenType {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6
};

const Json& null_json() {
  static const Json null;
  return null;
}

const Json& at_or_null(const Json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return object.is_object() && found != object.end() ? *found : null_json();
}

/// The steps of a normalizer, pre-tokenizer or decoder: those of a Sequence, or itself.
std::vector<Json> steps_of(const Json& part, const char* list) {
  if (part.is_null()) return {};
  if (at_or_null(part, "type") != "Sequence") return {part};
  const Json& inner = at_or_null(part, list);
  return inner.is_array() ? std::vector<Json>(inner.begin(), inner.end()) : std::vector<Json>{};
}

class Converter {
 public:
  Converter(const Json& json, const std::string& source)
      : json_(json), source_(source), model_(at_or_null(json, "model")) {
    const Json& type = at_or_null(model_, "type");
    if (!model_.is_object() || (!type.is_null() && type != "BPE"))
      fail(ErrorKind::kUnsupported,
           "{}: a tokenizer of type {} cannot be written as GGUF; known: BPE", source_,
           type.dump());
  }

  GgufVocabulary convert(const TokenRoles& roles, int vocabulary_size) {
    read_tokens(vocabulary_size);
    const std::vector<Json> cuts = steps_of(at_or_null(json_, "pre_tokenizer"), "pretokenizers");
    const bool byte_level = std::any_of(cuts.begin(), cuts.end(), [](const Json& step) {
      return at_or_null(step, "type") == "ByteLevel";
    });
    if (byte_level) {
      result_.model = "gpt2";
      name_pre_tokenizer(cuts);
      result_.merges = merges_;
    } else if (at_or_null(model_, "byte_fallback") == true) {
      result_.model = "llama";
      result_.pre = "default";
      add_scores();
      mark_bytes();
      result_.add_space_prefix = prepends_space(cuts);
    } else {
      fail(ErrorKind::kUnsupported,
           "{}: the tokenizer is neither byte-level nor falls back to bytes: GGUF has no form for "
           "it",
           source_);
    }
    result_.bos = id_of(roles.bos);
    result_.eos = id_of(roles.eos);
    result_.padding = id_of(roles.padding);
    return std::move(result_);
  }

 private:
  void read_tokens(int vocabulary_size) {
    const Json& vocabulary = at_or_null(model_, "vocab");
    if (!vocabulary.is_object()) malformed("\"vocab\" to be an object");
    for (const auto& [token, id] : vocabulary.items()) place(token, id, kNormal);
    const Json& added = at_or_null(json_, "added_tokens");
    for (const Json& token : added.is_array() ? added : Json::array()) {
      const Json& content = at_or_null(token, "content");
      if (!content.is_string()) malformed("every added token to have a \"content\"");
      place(content, at_or_null(token, "id"),
            at_or_null(token, "special") == true ? kControl : kUserDefined);
    }
    if (const Json& unknown = at_or_null(model_, "unk_token"); unknown.is_string()) {
      result_.unknown = id_of(unknown);
      if (result_.unknown >= 0) result_.types[static_cast<size_t>(result_.unknown)] = kUnknown;
    }
    const size_t size = std::max(result_.tokens.size(), static_cast<size_t>(vocabulary_size));
    result_.tokens.resize(size);
    result_.types.resize(size, kUnused);
    for (size_t i = 0; i < size; ++i)
      if (result_.types[i] == kUnused) result_.tokens[i] = fmt::format("[PAD{}]", i);
    read_merges();
  }

  void place(const std::string& token, const Json& id, TokenType type) {
    constexpr int64_t kMostTokens = 1 << 24;
    if (!id.is_number_integer() || id < 0 || id >= kMostTokens)
      malformed("every token's id to be a whole number");
    const auto at = id.get<size_t>();
    if (at >= result_.tokens.size()) {
      result_.tokens.resize(at + 1);
      result_.types.resize(at + 1, kUnused);
    }
    result_.tokens[at] = token;
    result_.types[at] = type;
    ids_[token] = static_cast<int32_t>(at);
  }

  void read_merges() {
    const Json& merges = at_or_null(model_, "merges");
    if (!merges.is_array()) malformed("\"merges\" to be a list");
    for (const Json& merge : merges) {
      if (merge.is_string()) {
        merges_.push_back(merge);
      } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
                 merge[1].is_string()) {
        merges_.push_back(merge[0].get<std::string>() + " " + merge[1].get<std::string>());
      } else {
        malformed("every merge to be two tokens");
      }
    }
  }

  void name_pre_tokenizer(const std::vector<Json>& cuts) {
    PreTokenizer pre{.ignore_merges = at_or_null(model_, "ignore_merges") == true};
    bool known = true;
    for (const Json& step : cuts) {
      const Json& type = at_or_null(step, "type");
      const Json& regex = at_or_null(at_or_null(step, "pattern"), "Regex");
      if (type == "Digits") {
        pre.single_digits = at_or_null(step, "individual_digits") == true;
      } else if (type == "Split" && regex.is_string() && pre.split.empty()) {
        pre.split = regex;
      } else {
        known = known && type == "ByteLevel";
      }
    }
    for (const Json& step : steps_of(at_or_null(json_, "normalizer"), "normalizers"))
      (at_or_null(step, "type") == "NFC" ? pre.nfc : known) = at_or_null(step, "type") == "NFC";
    result_.pre = known ? pre_tokenizer_name(pre) : "";
    if (result_.pre.empty())
      fail(ErrorKind::kUnsupported,
           "{}: GGUF has no name known here for the way this tokenizer cuts text: {}", source_,
           at_or_null(json_, "pre_tokenizer").dump().substr(0, 300));
  }

  /// llama.cpp joins the pair whose result has the highest score: the earlier a token is made, the
  /// higher.
  void add_scores() {
    result_.scores.assign(result_.tokens.size(), -static_cast<float>(merges_.size()) - 1.0f);
    for (size_t rank = merges_.size(); rank-- > 0;) {
      std::string joined = merges_[rank];
      const size_t space = joined.find(' ', 1);
      if (space == std::string::npos) malformed("every merge to be two tokens");
      const auto made = ids_.find(joined.erase(space, 1));
      if (made != ids_.end())
        result_.scores[static_cast<size_t>(made->second)] = -static_cast<float>(rank);
    }
  }

  void mark_bytes() {
    for (size_t i = 0; i < result_.tokens.size(); ++i) {
      const std::string& token = result_.tokens[i];
      if (token.size() == 6 && token.starts_with("<0x") && token.ends_with(">"))
        result_.types[i] = kByte;
    }
  }

  bool prepends_space(const std::vector<Json>& cuts) const {
    for (const Json& step : steps_of(at_or_null(json_, "normalizer"), "normalizers"))
      if (at_or_null(step, "type") == "Prepend") return true;
    for (const Json& step : cuts) {
      if (at_or_null(step, "type") != "Metaspace") continue;
      const Json& scheme = at_or_null(step, "prepend_scheme");
      if (scheme.is_string()) return scheme != "never";
      return at_or_null(step, "add_prefix_space") != false;
    }
    return false;
  }

  int32_t id_of(const std::string& token) const {
    const auto found = ids_.find(token);
    return token.empty() || found == ids_.end() ? -1 : found->second;
  }

  [[noreturn]] void malformed(const char* expected) const {
    fail(ErrorKind::kUserInput, "{}: expected {}", source_, expected);
  }

  const Json& json_;
  const std::string& source_;
  const Json& model_;
  GgufVocabulary result_;
  std::vector<std::string> merges_;
  std::unordered_map<std::string, int32_t> ids_;
};

}  // namespace

GgufVocabulary gguf_vocabulary_from_tokenizer(const std::string& tokenizer_json,
                                              const TokenRoles& roles, int vocabulary_size,
                                              const std::string& source) {
  const Json json = parse_json(tokenizer_json, source);
  GgufVocabulary vocabulary = Converter(json, source).convert(roles, vocabulary_size);
  // What is put before and after a text: the tokenizer itself knows best.
  const std::vector<int32_t> ids =
      Tokenizer::from_json(tokenizer_json, source)->encode("a", /*add_special=*/true).ids;
  vocabulary.add_bos = !ids.empty() && vocabulary.bos >= 0 && ids.front() == vocabulary.bos;
  vocabulary.add_eos = !ids.empty() && vocabulary.eos >= 0 && ids.back() == vocabulary.eos;
  return vocabulary;
}

}  // namespace toolkit::text
