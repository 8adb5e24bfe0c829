#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/text/token_constraint.h"
#include "core/text/tokenizer.h"

namespace toolkit::text {

/// Compiles grammars for texts of one tokenizer, through the Rust crate `llguidance`. Made once per
/// model; safe to use from several threads. The last grammars are remembered: one that is asked for
/// again costs a copy. What comes out belongs to one text each.
///
/// Every function throws Error(kUserInput) with the crate's message for a grammar that is
/// malformed, unsupported, cannot be satisfied or too large.
class Grammars {
 public:
  /// `stop_ids` may come where a text may end; ids the tokenizer does not have are left out. Throws
  /// Error(kUserInput) if none is left or the tokens have no bytes of their own (WordPiece).
  Grammars(std::shared_ptr<const Tokenizer> tokenizer, std::span<const int32_t> stop_ids);
  ~Grammars();
  Grammars(const Grammars&) = delete;
  Grammars& operator=(const Grammars&) = delete;

  /// JSON that a JSON Schema (draft 2020-12, as text) allows, members in the schema's order. A
  /// keyword that cannot be kept to is an error. `in_reasoning`: the prompt ended inside of
  /// <think>, so that the text is reasoning up to </think> and an empty line, and then the JSON.
  std::unique_ptr<TokenConstraint> json_schema(const std::string& schema,
                                               bool in_reasoning = false) const;
  std::unique_ptr<TokenConstraint> json_object(bool in_reasoning = false) const;
  /// The whole text matches: Rust's syntax, without anchors and look-around.
  std::unique_ptr<TokenConstraint> regex(const std::string& pattern) const;
  /// One of the texts. Throws Error(kUserInput) for an empty list.
  std::unique_ptr<TokenConstraint> choice(std::span<const std::string> texts) const;
  /// llguidance's dialect of Lark; `%json {...}` embeds a schema, `<[7]>` is token 7.
  std::unique_ptr<TokenConstraint> lark(const std::string& grammar) const;

  const Tokenizer& tokenizer() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The Lark rule `reasoning`: any text, its end </think> (the token, where the tokenizer has a
/// special one) and an empty line.
std::string reasoning_rule(const Tokenizer& tokenizer);

/// White space between the marks of a JSON text, as models write it, on one line or indented: what
/// `%json` takes as "whitespace_pattern". Any amount would let a small model write it for ever.
inline constexpr const char* kJsonSpace = R"( |\n[ \t]{0,32})";

}  // namespace toolkit::text
