#include "core/text/reply_parser.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/text/function_tags.h"

namespace toolkit::text {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr std::string_view kSpace = " \t\r\n", kThink = "<think>", kThinkEnd = "</think>",
                           kCall = "<tool_call>", kCallEnd = "</tool_call>",
                           kMistral = "[TOOL_CALLS]", kPython = "<|python_tag|>",
                           kFunction = "<function=";
constexpr std::string_view kMarks[] = {kCall, kMistral};

/// How much of `mark` the text ends with, less than all of it.
size_t open_end(std::string_view text, std::string_view mark) {
  for (size_t size = std::min(text.size(), mark.size() - 1); size > 0; --size)
    if (text.ends_with(mark.substr(0, size))) return size;
  return 0;
}

size_t spaces_before(std::string_view text) {
  return std::min(text.find_first_not_of(kSpace), text.size());
}

enum class Found { kYes, kNo, kMore };

/// Reads {"name": "...", "arguments": { up to the brace of the arguments, which is left.
struct CallHead {
  std::string_view text;
  size_t at = 0;
  std::string name;

  Found space_and(char wanted) {
    at += spaces_before(text.substr(at));
    if (at == text.size()) return Found::kMore;
    return text[at] == wanted ? Found::kYes : Found::kNo;
  }
  Found symbol(char wanted) {
    const Found found = space_and(wanted);
    if (found == Found::kYes) ++at;
    return found;
  }
  Found string(std::string& value) {
    if (const Found found = space_and('"'); found != Found::kYes) return found;
    size_t end = at + 1;
    while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? 2 : 1;
    if (end >= text.size()) return Found::kMore;
    const OrderedJson json =
        OrderedJson::parse(text.substr(at, end + 1 - at), nullptr, /*allow_exceptions=*/false);
    if (!json.is_string()) return Found::kNo;
    value = json.get<std::string>();
    at = end + 1;
    return Found::kYes;
  }
  Found read() {
    std::string first, second;
    for (const auto& part : {symbol('{'), string(first), symbol(':'), string(name), symbol(','),
                             string(second), symbol(':'), space_and('{')})
      if (part != Found::kYes) return part;
    const bool known = first == "name" && (second == "arguments" || second == "parameters");
    return known ? Found::kYes : Found::kNo;
  }
};

/// Where the JSON object at the start of `text` ends; 0: not yet.
std::optional<size_t> object_size(std::string_view text) {
  JsonScanner scanner;
  for (size_t i = 0; i < text.size(); ++i) {
    const JsonScanner::Status status = scanner.feed(text[i]);
    if (status == JsonScanner::Status::kDone) return i + 1;
    if (status == JsonScanner::Status::kBad) return std::nullopt;
  }
  return 0;
}

}  // namespace

ReplyParser::ReplyParser(ReplyOptions options) : options_(std::move(options)) {
  if (options_.in_reasoning) state_ = State::kReasoning;
}

ReplyDelta ReplyParser::push(std::string_view text) {
  pending_ += text;
  while (step(/*last=*/false)) {
  }
  return std::exchange(delta_, {});
}

ReplyDelta ReplyParser::finish() {
  while (step(/*last=*/true)) {
  }
  if (calls_ == 0 || began_) delta_.content += spaces_;  // none after a call
  spaces_.clear();
  return std::exchange(delta_, {});
}

/// One decision about the start of pending_; false: it needs more text.
bool ReplyParser::step(bool last) {
  switch (state_) {
    case State::kBegin:
      return begin(last);
    case State::kReasoning:
      return reason(last);
    case State::kContent:
      return say(last);
    case State::kCall:
      return open_call(last);
    case State::kArguments:
      return pass_arguments();
    case State::kObjectEnd:
      return end_object(last);
    case State::kNextCall:
      return next_call(last);
  }
  return false;
}

/// Whether `text` starts with the mark; true too while that cannot be told.
bool ReplyParser::starts_with_or_may(std::string_view text, std::string_view mark,
                                     bool last) const {
  return text.starts_with(mark) || (!last && mark.starts_with(text));
}

bool ReplyParser::begin(bool last) {
  const size_t spaces = spaces_before(pending_);
  const std::string_view text = std::string_view(pending_).substr(spaces);
  if (text.empty()) {
    if (last && !began_) spaces_ += std::exchange(pending_, "");
    return false;
  }
  if (options_.reasoning && !began_ && starts_with_or_may(text, kThink, last)) {
    if (text.size() < kThink.size()) return false;
    consume(spaces + kThink.size());
    state_ = State::kReasoning;
    return true;
  }
  if (!options_.tools.empty()) {
    if (starts_with_or_may(text, kPython, last)) {
      if (text.size() < kPython.size()) return false;
      enter_call(kPython, spaces + kPython.size());
      return true;
    }
    if (kMistral.starts_with(text) && !last) return false;
    if ((text[0] == '{' || text[0] == '[') && !text.starts_with(kMistral)) {
      enter_call("", spaces);
      return true;
    }
  }
  if (began_) consume(spaces);  // between reasoning and answer
  state_ = State::kContent;
  return true;
}

bool ReplyParser::reason(bool last) {
  const size_t end = pending_.find(kThinkEnd);
  const bool whole = end != std::string::npos;
  size_t size = whole ? end : pending_.size() - (last ? 0 : open_end(pending_, kThinkEnd));
  std::string text = spaces_ + pending_.substr(0, size);
  if (delta_.reasoning.empty() && !began_) text.erase(0, spaces_before(text));
  const size_t shown = text.find_last_not_of(kSpace) + 1;  // 0: only white space
  spaces_ = text.substr(shown);
  delta_.reasoning += text.substr(0, shown);
  began_ = began_ || shown > 0;
  consume(size + (whole ? kThinkEnd.size() : 0));
  if (whole || last) spaces_.clear();
  if (!whole) return false;
  began_ = true;
  state_ = State::kBegin;
  return true;
}

void ReplyParser::say_text(std::string_view text) {
  const std::string whole = spaces_ + std::string(text);
  const size_t shown = options_.tools.empty() ? whole.size() : whole.find_last_not_of(kSpace) + 1;
  spaces_ = whole.substr(shown);
  delta_.content += whole.substr(0, shown);
  began_ = began_ || shown > 0;
}

bool ReplyParser::say(bool last) {
  if (pending_.empty()) return false;
  size_t open = std::string::npos, keep = 0;
  std::string_view mark;
  if (!options_.tools.empty())
    for (const std::string_view one : kMarks) {
      const size_t at = pending_.find(one);
      if (at < open) {
        open = at;
        mark = one;
      }
      if (!last) keep = std::max(keep, open_end(pending_, one));
    }
  const bool found = open != std::string::npos;
  const size_t size = found ? open : pending_.size() - keep;
  say_text(std::string_view(pending_).substr(0, size));
  consume(size);
  if (found) enter_call(mark, mark.size());
  return found;
}

void ReplyParser::enter_call(std::string_view mark, size_t size) {
  mark_ = mark;
  raw_ = pending_.substr(0, size);
  consume(size);
  listed_ = called_ = false;
  state_ = State::kCall;
}

/// What was taken for a call is content.
bool ReplyParser::no_call() {
  say_text(std::exchange(raw_, ""));
  state_ = State::kContent;
  return true;
}

bool ReplyParser::open_call(bool last) {
  const size_t spaces = spaces_before(pending_);
  raw_ += pending_.substr(0, spaces);
  consume(spaces);
  if (pending_.empty()) return last && no_call();
  if (pending_[0] == '[' && !listed_ && !called_) {
    listed_ = true;
    raw_ += '[';
    consume(1);
    return true;
  }
  if (pending_[0] == '{') return open_object(last);
  if (mark_ == kCall && starts_with_or_may(pending_, kFunction, last)) return open_functions(last);
  return no_call();
}

bool ReplyParser::open_object(bool last) {
  CallHead head{.text = pending_};
  const Found found = head.read();
  if (found == Found::kYes && find_tool(head.name)) {
    add_call(head.name, "");
    consume(head.at);
    scanner_.emplace();
    state_ = State::kArguments;
    return true;
  }
  const std::optional<size_t> size = object_size(pending_);
  if (!size || (*size == 0 && last)) return no_call();
  if (*size == 0) return false;
  // Other members, or in another order.
  const OrderedJson call = OrderedJson::parse(pending_.substr(0, *size), nullptr, false);
  const auto name = call.is_object() ? call.find("name") : call.end();
  if (call.is_discarded() || name == call.end() || !name->is_string() ||
      !find_tool(name->get<std::string>()))
    return no_call();
  OrderedJson arguments = OrderedJson::object();
  for (const char* key : {"arguments", "parameters"})
    if (call.contains(key) && !call[key].is_null()) arguments = call[key];
  if (arguments.is_string())
    arguments = OrderedJson::parse(arguments.get<std::string>(), nullptr, false);
  if (!arguments.is_object()) return no_call();
  add_call(name->get<std::string>(), arguments.dump());
  consume(*size);
  state_ = State::kNextCall;
  return true;
}

bool ReplyParser::open_functions(bool last) {
  const size_t end = pending_.find(kCallEnd);
  if (end == std::string::npos && !last) return false;
  const size_t size = std::min(end, pending_.size());
  const auto call = read_function_tags(std::string_view(pending_).substr(0, size), options_.tools);
  if (!call) return no_call();
  add_call(call->name, call->arguments);
  consume(size);
  state_ = State::kNextCall;
  return true;
}

bool ReplyParser::pass_arguments() {
  size_t size = 0;
  JsonScanner::Status status = JsonScanner::Status::kMore;
  while (size < pending_.size() && status == JsonScanner::Status::kMore)
    status = scanner_->feed(pending_[size++]);
  if (status == JsonScanner::Status::kBad) --size;
  if (size > 0) {
    if (delta_.tool_calls.empty() || delta_.tool_calls.back().index != calls_ - 1)
      delta_.tool_calls.push_back({calls_ - 1, "", ""});
    delta_.tool_calls.back().arguments += pending_.substr(0, size);
    consume(size);
  }
  if (status == JsonScanner::Status::kMore) return false;
  state_ = status == JsonScanner::Status::kDone ? State::kObjectEnd : State::kContent;
  return true;
}

/// Members after the arguments are left out.
bool ReplyParser::end_object(bool last) {
  const size_t spaces = spaces_before(pending_);
  const bool more = spaces < pending_.size() && pending_[spaces] == ',';
  const size_t begin = more ? spaces + 1 : 0;
  const std::optional<size_t> size = object_size("{" + pending_.substr(begin));
  if (size && *size == 0 && !last) return false;
  if (size && *size > 0) consume(begin + *size - 1);
  state_ = State::kNextCall;
  return true;
}

bool ReplyParser::next_call(bool last) {
  raw_.clear();
  consume(spaces_before(pending_));
  if (pending_.empty()) return false;
  if (mark_ == kCall && starts_with_or_may(pending_, kCallEnd, last)) {
    if (pending_.size() < kCallEnd.size()) return false;
    consume(kCallEnd.size());
    state_ = State::kContent;
    return true;
  }
  const char next = pending_[0];
  if (listed_ && next == ']') {
    listed_ = false;
    consume(1);
    return true;
  }
  if (next == ',' || next == ';') {
    raw_ = next;
    consume(1);
    state_ = State::kCall;
    return true;
  }
  state_ = next == '{' ? State::kCall : State::kContent;
  return true;
}

void ReplyParser::consume(size_t size) {
  pending_.erase(0, size);
}

const Tool* ReplyParser::find_tool(const std::string& name) const {
  for (const Tool& tool : options_.tools)
    if (tool.name == name) return &tool;
  return nullptr;
}

void ReplyParser::add_call(const std::string& name, std::string arguments) {
  delta_.tool_calls.push_back({calls_++, name, std::move(arguments)});
  raw_.clear();
  spaces_.clear();
  called_ = true;
  began_ = false;
}

}  // namespace toolkit::text
