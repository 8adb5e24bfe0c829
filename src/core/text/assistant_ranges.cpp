#include "core/text/assistant_ranges.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "core/base/error.h"

namespace toolkit::text {
namespace {

constexpr std::string_view kWhiteSpace = " \t\r\n";

size_t common_prefix(std::string_view a, std::string_view b) {
  return std::mismatch(a.begin(), a.begin() + std::min(a.size(), b.size()), b.begin()).first -
         a.begin();
}

size_t common_suffix(std::string_view a, std::string_view b, size_t limit) {
  limit = std::min({limit, a.size(), b.size()});
  return std::mismatch(a.rbegin(), a.rbegin() + limit, b.rbegin()).first - a.rbegin();
}

bool is_continuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
}

// Where the content of one message stands in a rendering.
struct Place {
  size_t begin = 0, end = 0;
  bool alone = false;  // everything else is the same whatever the content is
};

// `other` is the rendering with that content exchanged for `sign`.
std::optional<Place> place_of(std::string_view text, std::string_view other,
                              std::string_view sign) {
  if (text == other) return std::nullopt;
  Place place;
  place.begin = common_prefix(text, other);
  while (place.begin > 0 && place.begin < text.size() && is_continuation(text[place.begin])) {
    --place.begin;
  }
  // The other content stands last in what differs, so its end is found exactly.
  const size_t mark = other.rfind(sign);
  if (mark == std::string_view::npos) return std::nullopt;
  const size_t after = other.size() - mark - sign.size();
  if (common_suffix(text, other, after) != after) return std::nullopt;
  place.end = text.size() - after;
  place.alone = mark == place.begin && place.begin <= place.end;
  return place;
}

// A private-use character that no message has: no template treats it as anything but content.
std::string unused_character(const std::vector<Message>& messages) {
  for (int code = 0xE000; code < 0xF8FF; ++code) {
    const std::string sign = {static_cast<char>(0xE0 | (code >> 12)),
                              static_cast<char>(0x80 | ((code >> 6) & 0x3F)),
                              static_cast<char>(0x80 | (code & 0x3F))};
    const bool used = std::any_of(messages.begin(), messages.end(), [&](const Message& message) {
      return (message.content + message.extra_json).find(sign) != std::string::npos;
    });
    if (!used) return sign;
  }
  fail(ErrorKind::kUnsupported, "chat template: the messages use every private character");
}

class RangeFinder {
 public:
  RangeFinder(const std::vector<Message>& messages, const RenderMessages& render)
      : messages_(messages),
        render_(render),
        sign_(unused_character(messages)),
        full_(render(messages, false)) {}

  const std::string& full() const { return full_; }

  std::pair<size_t, size_t> turn(size_t index) const {
    const auto changed = place_of(full_, render_with_other(messages_, index), sign_);
    const size_t end = end_of(index, changed);
    const size_t begin = begin_of(index, changed);
    if (begin > end) contradiction(index, "the turn would end before it begins");
    return {begin, end};
  }

 private:
  std::string render_with_other(std::vector<Message> messages, size_t index) const {
    messages[index].content = sign_;
    return render_(messages, false);
  }

  std::vector<Message> first(size_t count) const {
    return {messages_.begin(), messages_.begin() + static_cast<std::ptrdiff_t>(count)};
  }

  size_t begin_of(size_t index, const std::optional<Place>& changed) const {
    std::optional<std::string> before;
    try {
      before = render_(first(index), true);
    } catch (const Error&) {
      if (index > 0) throw;  // many templates refuse an empty conversation
    }
    if (before && full_.starts_with(*before)) return before->size();
    if (!changed || !changed->alone) {
      contradiction(index, "the messages before it are rendered differently when they stand alone");
    }
    return changed->begin;
  }

  // The end of the turn's end mark: what follows the content when the turn is the last one.
  size_t end_of(size_t index, const std::optional<Place>& changed) const {
    const bool last = index + 1 == messages_.size();
    const std::string prefix = last ? full_ : render_(first(index + 1), false);
    if (!changed) {  // the template does not print this turn's content (a tool call, say)
      if (!full_.starts_with(prefix)) {
        contradiction(index, "its content is not printed and its end moves with what follows");
      }
      return trimmed(prefix, 0);
    }
    if (last) return trimmed(full_, changed->end);
    const auto in_prefix = place_of(prefix, render_with_other(first(index + 1), index), sign_);
    if (!in_prefix) contradiction(index, "its content is printed only when messages follow");
    const std::string_view mark = std::string_view(prefix).substr(
        in_prefix->end, trimmed(prefix, in_prefix->end) - in_prefix->end);
    if (!std::string_view(full_).substr(changed->end).starts_with(mark)) {
      contradiction(index, "it ends differently when messages follow");
    }
    return changed->end + mark.size();
  }

  // End of `text` without trailing white space, but not before `floor`; white space alone counts.
  static size_t trimmed(std::string_view text, size_t floor) {
    const size_t last = text.find_last_not_of(kWhiteSpace);
    return last == std::string_view::npos || last < floor ? text.size() : last + 1;
  }

  [[noreturn]] void contradiction(size_t index, const char* reason) const {
    fail(ErrorKind::kUnsupported,
         "chat template: cannot tell what the assistant says in message {}: {}. Give a template "
         "with {{% generation %}} blocks around the assistant's turns.",
         index + 1, reason);
  }

  const std::vector<Message>& messages_;
  const RenderMessages& render_;
  std::string sign_, full_;
};

}  // namespace

RenderedChat find_assistant_ranges(const std::vector<Message>& messages, bool generation_prompt,
                                   const RenderMessages& render) {
  const RangeFinder finder(messages, render);
  RenderedChat result;
  for (size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].role == "assistant") result.assistant.push_back(finder.turn(i));
  }
  result.text = generation_prompt ? render(messages, true) : finder.full();
  if (generation_prompt && !result.assistant.empty() && !result.text.starts_with(finder.full())) {
    fail(ErrorKind::kUnsupported,
         "chat template: the conversation changes when the generation prompt is added");
  }
  return result;
}

}  // namespace toolkit::text
