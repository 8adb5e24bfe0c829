#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "core/base/ordered_json.h"

namespace toolkit::serve {

/// The members of a JSON object of a request, each read as exactly the type it must have: what is
/// absent or null is empty, anything else that does not fit is ApiError(400) naming the member.
/// Refers to the object, which must outlive it.
class Members {
 public:
  /// `where` stands before a member's name in messages: "messages[2]."
  explicit Members(const OrderedJson& object, std::string where = "");

  const OrderedJson* any(const char* name) const;  // nullptr: absent or null
  std::optional<std::string> text(const char* name, size_t max_bytes = 64 << 20) const;
  std::optional<int64_t> integer(const char* name, int64_t minimum,
                                 int64_t maximum = std::numeric_limits<int32_t>::max()) const;
  std::optional<double> number(const char* name, double minimum, double maximum) const;
  std::optional<bool> boolean(const char* name) const;
  const OrderedJson* object(const char* name) const;
  const OrderedJson* list(const char* name, size_t max_items) const;
  /// A text, or a list of texts.
  std::vector<std::string> texts(const char* name, size_t max_items, size_t max_bytes) const;

  std::string need_text(const char* name) const;
  const OrderedJson& need_list(const char* name, size_t max_items) const;

  std::string path(const char* name) const { return where_ + name; }
  /// ApiError(400) "'<member>': expected ..., found ...".
  [[noreturn]] void refuse(const char* name, const std::string& expected) const;

 private:
  const OrderedJson& object_;
  std::string where_;
};

/// A short form of a value for messages: its text, cut.
std::string shown_json(const OrderedJson& value);

/// The body of a request as an object. ApiError(400) for what is none, has duplicate members, is
/// nested deeper than 64.
OrderedJson parse_body(const std::string& body);

}  // namespace toolkit::serve
