#include "core/text/json_scanner.h"

#include <cctype>
#include <string_view>

namespace toolkit::text {
namespace {

constexpr size_t kMaxDepth = 128, kMaxLiteral = 64;

bool is_space(char byte) {
  return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r';
}

bool is_digit(char byte) {
  return byte >= '0' && byte <= '9';
}

bool is_number(std::string_view text) {
  const auto digits = [&] {
    const size_t before = text.size();
    while (!text.empty() && is_digit(text.front())) text.remove_prefix(1);
    return before != text.size();
  };
  if (text.starts_with('-')) text.remove_prefix(1);
  if (text.size() > 1 && text[0] == '0' && is_digit(text[1])) return false;
  if (!digits()) return false;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    if (!digits()) return false;
  }
  if (!text.empty() && (text[0] == 'e' || text[0] == 'E')) {
    text.remove_prefix(1);
    if (!text.empty() && (text[0] == '+' || text[0] == '-')) text.remove_prefix(1);
    if (!digits()) return false;
  }
  return text.empty();
}

}  // namespace

bool JsonScanner::literal_is_whole() const {
  return literal_ == "true" || literal_ == "false" || literal_ == "null" || is_number(literal_);
}

JsonScanner::Status JsonScanner::in_string(char byte) {
  if (hexadecimal_ > 0) {
    --hexadecimal_;
    return std::isxdigit(static_cast<unsigned char>(byte)) ? Status::kMore : Status::kBad;
  }
  if (escaped_) {
    escaped_ = false;
    if (byte == 'u') hexadecimal_ = 4;
    return std::string_view("\"\\/bfnrtu").find(byte) != std::string_view::npos ? Status::kMore
                                                                                : Status::kBad;
  }
  if (static_cast<unsigned char>(byte) < 0x20) return Status::kBad;
  escaped_ = byte == '\\';
  if (byte == '"') {
    string_ = false;
    expect_ = key_ ? Expect::kColon : Expect::kCommaOrEnd;
  }
  return Status::kMore;
}

JsonScanner::Status JsonScanner::begin_value(char byte) {
  if (byte == '{' || byte == '[') {
    if (open_.size() == kMaxDepth) return Status::kBad;
    open_.push_back(byte);
    expect_ = byte == '{' ? Expect::kKeyOrEnd : Expect::kValueOrEnd;
    return Status::kMore;
  }
  if (expect_ == Expect::kStart) return Status::kBad;
  expect_ = Expect::kCommaOrEnd;
  if (byte == '"') {
    string_ = true;
    key_ = false;
  } else if (is_digit(byte) || byte == '-' || byte == 't' || byte == 'f' || byte == 'n') {
    literal_ = byte;
  } else {
    return Status::kBad;
  }
  return Status::kMore;
}

JsonScanner::Status JsonScanner::end_container(char byte) {
  if (open_.empty() || (byte == '}') != (open_.back() == '{')) return Status::kBad;
  open_.pop_back();
  expect_ = Expect::kCommaOrEnd;
  return open_.empty() ? Status::kDone : Status::kMore;
}

JsonScanner::Status JsonScanner::feed(char byte) {
  if (string_) return in_string(byte);
  if (!literal_.empty()) {
    const bool ends = is_space(byte) || byte == ',' || byte == '}' || byte == ']';
    if (!ends) {
      literal_ += byte;
      return literal_.size() <= kMaxLiteral ? Status::kMore : Status::kBad;
    }
    if (!literal_is_whole()) return Status::kBad;
    literal_.clear();
  }
  if (is_space(byte)) return Status::kMore;
  const bool closes = byte == '}' || byte == ']';
  switch (expect_) {
    case Expect::kStart:
    case Expect::kValue:
      return begin_value(byte);
    case Expect::kValueOrEnd:
      return byte == ']' ? end_container(byte) : begin_value(byte);
    case Expect::kKey:
    case Expect::kKeyOrEnd:
      if (byte == '}' && expect_ == Expect::kKeyOrEnd) return end_container(byte);
      if (byte != '"') return Status::kBad;
      string_ = key_ = true;
      return Status::kMore;
    case Expect::kColon:
      expect_ = Expect::kValue;
      return byte == ':' ? Status::kMore : Status::kBad;
    case Expect::kCommaOrEnd:
      if (closes) return end_container(byte);
      expect_ = open_.back() == '{' ? Expect::kKey : Expect::kValue;
      return byte == ',' ? Status::kMore : Status::kBad;
  }
  return Status::kBad;
}

}  // namespace toolkit::text
