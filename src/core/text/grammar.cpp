#include "core/text/grammar.h"

#include <list>
#include <mutex>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/text/bridge.h"

namespace toolkit::text {
namespace {

constexpr size_t kMaxRemembered = 32;

struct VocabularyFree {
  void operator()(TbVocabulary* vocabulary) const { tb_vocabulary_free(vocabulary); }
};
struct ConstraintFree {
  void operator()(TbConstraint* constraint) const { tb_constraint_free(constraint); }
};
using Vocabulary = std::unique_ptr<TbVocabulary, VocabularyFree>;
using Constraint = std::unique_ptr<TbConstraint, ConstraintFree>;

class CompiledConstraint final : public TokenConstraint {
 public:
  explicit CompiledConstraint(Constraint constraint) : constraint_(std::move(constraint)) {}

  void allowed(std::span<uint32_t> bits) override {
    BridgeBytes error;
    const int status =
        tb_constraint_allowed(constraint_.get(), bits.data(), bits.size(), &error.raw);
    check_bridge(status, error, "grammar", ErrorKind::kUserInput);
  }

  void accept(int32_t id) override {
    BridgeBytes error;
    const int status =
        tb_constraint_accept(constraint_.get(), static_cast<uint32_t>(id), &error.raw);
    if (status != TB_OK)
      fail(ErrorKind::kInternal, "token {} does not go on with the grammar: {}", id, error.view());
  }

  bool complete() const override { return tb_constraint_complete(constraint_.get()) != 0; }

 private:
  Constraint constraint_;
};

struct Compiled {
  TbGrammarKind kind;
  std::string grammar;
  Constraint beginning;  // never advanced
};

std::string quoted_for_regex(const std::string& text) {
  std::string pattern;
  for (const char letter : text) {
    if (std::string_view(R"(\.+*?()|[]{}^$#&-~)").find(letter) != std::string_view::npos)
      pattern += '\\';
    pattern += letter;
  }
  return pattern;
}

}  // namespace

struct Grammars::Impl {
  std::shared_ptr<const Tokenizer> tokenizer;
  Vocabulary vocabulary;
  std::mutex mutex;
  std::list<Compiled> remembered;  // newest first

  Constraint copy_of_remembered(TbGrammarKind kind, const std::string& grammar) {
    const std::lock_guard lock(mutex);
    for (auto at = remembered.begin(); at != remembered.end(); ++at) {
      if (at->kind != kind || at->grammar != grammar) continue;
      remembered.splice(remembered.begin(), remembered, at);
      return copy_of(at->beginning);
    }
    return nullptr;
  }

  static Constraint copy_of(const Constraint& constraint) {
    TbConstraint* copy = nullptr;
    BridgeBytes error;
    check_bridge(tb_constraint_copy(constraint.get(), &copy, &error.raw), error, "grammar");
    return Constraint(copy);
  }

  std::unique_ptr<TokenConstraint> compile(TbGrammarKind kind, const std::string& grammar,
                                           const char* what) {
    Constraint constraint = copy_of_remembered(kind, grammar);
    if (!constraint) {
      TbConstraint* made = nullptr;
      BridgeBytes error;
      const int status = tb_constraint_new(vocabulary.get(), kind, bytes_of(grammar),
                                           grammar.size(), &made, &error.raw);
      check_bridge(status, error, what, ErrorKind::kUserInput);
      constraint.reset(made);
      const std::lock_guard lock(mutex);
      remembered.push_front({kind, grammar, copy_of(constraint)});
      if (remembered.size() > kMaxRemembered) remembered.pop_back();
    }
    return std::make_unique<CompiledConstraint>(std::move(constraint));
  }
};

Grammars::Grammars(std::shared_ptr<const Tokenizer> tokenizer, std::span<const int32_t> stop_ids)
    : impl_(std::make_unique<Impl>()) {
  impl_->tokenizer = std::move(tokenizer);
  std::vector<uint32_t> known;
  for (const int32_t id : stop_ids)
    if (impl_->tokenizer->token_of(id)) known.push_back(static_cast<uint32_t>(id));
  TbVocabulary* vocabulary = nullptr;
  BridgeBytes error;
  const int status = tb_vocabulary_new(static_cast<const TbTokenizer*>(impl_->tokenizer->handle()),
                                       known.data(), known.size(), &vocabulary, &error.raw);
  check_bridge(status, error, "grammars for this model", ErrorKind::kUserInput);
  impl_->vocabulary.reset(vocabulary);
}

Grammars::~Grammars() = default;

std::unique_ptr<TokenConstraint> Grammars::json_schema(const std::string& schema,
                                                       bool in_reasoning) const {
  if (!in_reasoning) return impl_->compile(TB_JSON_SCHEMA, schema, "JSON schema");
  auto json = nlohmann::ordered_json::parse(schema, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) fail(ErrorKind::kUserInput, "JSON schema: expected a JSON object");
  json["x-guidance"] = {{"whitespace_pattern", kJsonSpace}};
  return impl_->compile(TB_LARK,
                        "start: reasoning answer\n" + reasoning_rule(*impl_->tokenizer) +
                            "answer: %json " + json.dump() + "\n",
                        "JSON schema");
}

std::unique_ptr<TokenConstraint> Grammars::json_object(bool in_reasoning) const {
  return json_schema(R"({"type": "object"})", in_reasoning);
}

std::unique_ptr<TokenConstraint> Grammars::regex(const std::string& pattern) const {
  return impl_->compile(TB_REGEX, pattern, "regular expression");
}

std::unique_ptr<TokenConstraint> Grammars::choice(std::span<const std::string> texts) const {
  if (texts.empty()) fail(ErrorKind::kUserInput, "expected at least one text to choose from");
  std::string pattern;
  for (const std::string& text : texts)
    pattern += (pattern.empty() ? "(" : "|") + quoted_for_regex(text);
  return impl_->compile(TB_REGEX, pattern + ")", "choice of texts");
}

std::unique_ptr<TokenConstraint> Grammars::lark(const std::string& grammar) const {
  return impl_->compile(TB_LARK, grammar, "grammar");
}

const Tokenizer& Grammars::tokenizer() const {
  return *impl_->tokenizer;
}

std::string reasoning_rule(const Tokenizer& tokenizer) {
  const auto end = tokenizer.id_of("</think>");
  return end && tokenizer.is_special(*end)
             ? fmt::format("reasoning: /(?s:.*)/ <[{}]> \"\\n\\n\"\n", *end)
             : "reasoning[suffix=\"</think>\\n\\n\"]: /(?s:.*)/\n";
}

}  // namespace toolkit::text
