#pragma once

#include <string>
#include <vector>

namespace toolkit::text {

/// Follows one JSON object or list while its text arrives (RFC 8259), byte by byte.
class JsonScanner {
 public:
  enum class Status { kMore, kDone, kBad };

  /// kDone with the byte that closes the value. After kDone or kBad nothing more may come.
  Status feed(char byte);

 private:
  enum class Expect { kStart, kValue, kValueOrEnd, kKey, kKeyOrEnd, kColon, kCommaOrEnd };

  Status in_string(char byte);
  Status begin_value(char byte);
  Status end_container(char byte);
  bool literal_is_whole() const;

  Expect expect_ = Expect::kStart;
  std::vector<char> open_;  // '{' or '['
  bool string_ = false, key_ = false, escaped_ = false;
  int hexadecimal_ = 0;  // digits of \uXXXX still to come
  std::string literal_;  // a number, true, false or null so far
};

}  // namespace toolkit::text
