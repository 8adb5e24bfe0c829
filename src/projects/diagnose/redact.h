#pragma once

#include <string>
#include <string_view>

namespace toolkit::diagnose {

/// Takes out of texts what a bug report must not have: home folders ("~"), the user's and the
/// machine's name, tokens and keys (by their form, and by the name before them), query strings,
/// mail addresses, and what people wrote to models (values of "prompt", "content", "messages" ...).
class Redactor {
 public:
  /// Names that are replaced wherever they stand as a word; "" for none.
  Redactor(std::string home, std::string user, std::string host);
  /// Those of this process.
  static Redactor for_this_user();

  std::string redacted(std::string_view text) const;
  /// How many places were changed so far.
  int count() const { return count_; }

 private:
  std::string redacted_line(std::string line) const;
  void replace_words(std::string& line, const std::string& word, const char* with) const;

  std::string home_, user_, host_;
  mutable int count_ = 0;
};

}  // namespace toolkit::diagnose
