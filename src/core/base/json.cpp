#include "core/base/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "core/base/error.h"
#include "core/base/ordered_json.h"

namespace toolkit {

namespace {

/// Reads characters and remembers how far the parser has come, so that errors found between two
/// tokens (depth, duplicate keys) can name a place.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, const char** reached) : at_(at), reached_(reached) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    *reached_ = ++at_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator old = *this;
    ++*this;
    return old;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  const char** reached_;
};

std::string place(std::string_view text, size_t offset, const std::string& source) {
  offset = std::min(offset, text.size());
  const std::string_view before = text.substr(0, offset);
  const size_t line = static_cast<size_t>(std::count(before.begin(), before.end(), '\n')) + 1;
  const size_t line_start =
      before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  return fmt::format("{}:{}:{}", source, line, offset - line_start + 1);
}

/// The library's "... - unexpected X; expected Y" as "expected Y, found X".
std::string reworded(const std::string& message) {
  std::string text = message;
  if (const size_t start = text.find(": syntax error"); start != std::string::npos)
    text = text.substr(start + 2);
  else if (const size_t bracket = text.find("] "); bracket != std::string::npos)
    text = text.substr(bracket + 2);
  const size_t found = text.find("unexpected "), wanted = text.find("; expected ");
  if (found != std::string::npos && wanted != std::string::npos && found < wanted)
    return fmt::format("expected {}, found {}", text.substr(wanted + 11),
                       text.substr(found + 11, wanted - found - 11));
  if (const size_t dash = text.find(" - "); dash != std::string::npos) text = text.substr(dash + 3);
  return fmt::format("expected valid JSON, found {}", text);
}

constexpr size_t kMostOrderedMembers = 4096;

/// Builds the value from the parser's events and refuses what the plain parser would accept.
template <class Value>
class Builder : public nlohmann::json_sax<Value> {
 public:
  using number_integer_t = typename Value::number_integer_t;
  using number_unsigned_t = typename Value::number_unsigned_t;
  using number_float_t = typename Value::number_float_t;
  using string_t = typename Value::string_t;
  using binary_t = typename Value::binary_t;

  Builder(std::string_view text, const std::string& source, int max_depth, const char** reached)
      : text_(text), source_(source), max_depth_(max_depth), reached_(reached) {}

  Value take() { return std::move(root_); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t& value) override { return add(std::move(value)); }

  bool start_object(std::size_t) override { return open(Value::object()); }
  bool start_array(std::size_t) override { return open(Value::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    if (open_.back()->contains(name))
      fail(ErrorKind::kUserInput, "{}: expected each key once, found '{}' again", here(), name);
    if (std::is_same_v<Value, OrderedJson> && open_.back()->size() >= kMostOrderedMembers)
      fail(ErrorKind::kUserInput, "{}: expected at most {} members, found more", here(),
           kMostOrderedMembers);
    slot_ = &(*open_.back())[name];
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    fail(ErrorKind::kUserInput, "{}: {}", place(text_, position == 0 ? 0 : position - 1, source_),
         reworded(error.what()));
  }

 private:
  std::string here() const {
    const size_t offset = static_cast<size_t>(*reached_ - text_.data());
    return place(text_, offset == 0 ? 0 : offset - 1, source_);
  }

  Value* put(Value value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (open_.back()->is_array()) {
      open_.back()->push_back(std::move(value));
      return &open_.back()->back();
    }
    *slot_ = std::move(value);
    return slot_;
  }

  bool add(Value value) {
    put(std::move(value));
    return true;
  }

  bool open(Value value) {
    if (static_cast<int>(open_.size()) >= max_depth_)
      fail(ErrorKind::kUserInput, "{}: expected at most {} nested levels, found more", here(),
           max_depth_);
    open_.push_back(put(std::move(value)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  std::string_view text_;
  const std::string& source_;
  int max_depth_;
  const char** reached_;
  Value root_;
  std::vector<Value*> open_;  // stays valid: a container only grows after its children are closed
  Value* slot_ = nullptr;
};

template <class Value>
Value parse(std::string_view text, const std::string& source, int max_depth) {
  const char* reached = text.data();
  Builder<Value> builder(text, source, max_depth, &reached);
  Value::sax_parse(CountingIterator(text.data(), &reached),
                   CountingIterator(text.data() + text.size(), &reached), &builder);
  return builder.take();
}

}  // namespace

Json parse_json(std::string_view text, const std::string& source, int max_depth) {
  return parse<Json>(text, source, max_depth);
}

OrderedJson parse_ordered_json(std::string_view text, const std::string& source, int max_depth) {
  return parse<OrderedJson>(text, source, max_depth);
}

}  // namespace toolkit
