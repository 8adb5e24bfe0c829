#include "projects/diagnose/redact.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <regex>
#include <vector>

#include "core/base/paths.h"
#include "core/platform/process.h"

namespace toolkit::diagnose {

namespace {

constexpr size_t kMostLineBytes = 2 << 10;  // longer ones are cut: std::regex recurses

struct Rule {
  std::regex pattern;
  std::string with;
};

/// Order matters: the wider rules come last.
const std::vector<Rule>& rules() {
  static const auto kFlags = std::regex::ECMAScript | std::regex::icase | std::regex::optimize;
  static const std::vector<Rule> kRules = {
      // What people and models wrote: "prompt": "...", content='...', messages=[...]
      {std::regex(
           R"re((["']?\b(?:prompt|content|messages?|system|response|input|completion|thinking|text)["']?\s*[:=]\s*)("(?:[^"\\]|\\.)*"?|'[^']*'?|\[.*|\{.*))re",
           kFlags),
       "$1[text removed]"},
      // Secrets by the name before them, in JSON, YAML, headers, environment and flags.
      {std::regex(
           R"re((\b[\w-]*(?:token|secret|passw(?:or)?d|api[-_]?key|apikey|access[-_]?key|credential|authorization|cookie)["']?\s*[:= ]\s*)("[^"]*"?|'[^']*'?|(?:bearer|basic)\s+[^\s"',]+|[^\s"',}\]]+))re",
           kFlags),
       "$1[secret removed]"},
      {std::regex(R"re(\b(bearer|basic)\s+[A-Za-z0-9+/=._~-]{8,})re", kFlags),
       "$1 [secret removed]"},
      {std::regex(
           R"re(\b(?:hf_|sk-|sk_|ghp_|gho_|github_pat_|glpat-|xox[abp]-|AKIA|AIza|eyJ)[A-Za-z0-9_.-]{8,})re"),
       "[secret removed]"},
      {std::regex(R"re((https?://)[^\s/@:]+:[^\s/@]+@)re", kFlags), "$1[secret removed]@"},
      {std::regex(R"re((https?://[^\s?"'<>]+)\?[^\s"'<>]*)re", kFlags), "$1?[removed]"},
      {std::regex(R"re(\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+)re"), "[address removed]"},
      {std::regex(R"re(/(?:home|Users)/[^/\s"':,]+)re"), "~"},
      {std::regex(R"re(-----BEGIN [A-Z ]*PRIVATE KEY-----.*)re"), "[secret removed]"},
  };
  return kRules;
}

bool is_word(char letter) {
  return std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_';
}

/// A line of a private key's body: base64 and nothing else, not one of hexadecimal digits.
bool is_key_body(const std::string& line) {
  constexpr std::string_view kUpper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", kDigits = "0123456789";
  constexpr std::string_view kLower = "abcdefghijklmnopqrstuvwxyz";
  const std::string alphabet =
      std::string(kUpper) + std::string(kLower) + std::string(kDigits) + "+/=";
  return line.size() >= 60 && line.find_first_not_of(alphabet) == line.npos &&
         line.find_first_of(kUpper) != line.npos && line.find_first_of(kLower) != line.npos &&
         line.find_first_of(kDigits) != line.npos;
}

}  // namespace

Redactor::Redactor(std::string home, std::string user, std::string host)
    : home_(std::move(home)), user_(std::move(user)), host_(std::move(host)) {
  while (home_.size() > 1 && home_.ends_with('/')) home_.pop_back();
}

Redactor Redactor::for_this_user() {
  const passwd* entry = ::getpwuid(::getuid());
  const std::string user = entry && entry->pw_name ? entry->pw_name : "";
  return Redactor(expanded_path("~").string(), user, platform::host_name());
}

void Redactor::replace_words(std::string& line, const std::string& word, const char* with) const {
  // A name such as "me" would hit half of all words.
  if (word.size() < 3 || word == "root" || word == "localhost") return;
  for (size_t at = 0; (at = line.find(word, at)) != line.npos;) {
    const size_t end = at + word.size();
    const bool whole =
        (at == 0 || !is_word(line[at - 1])) && (end == line.size() || !is_word(line[end]));
    if (!whole) {
      ++at;
      continue;
    }
    line.replace(at, word.size(), with);
    ++count_;
  }
}

std::string Redactor::redacted_line(std::string line) const {
  if (line.size() > kMostLineBytes) line.resize(kMostLineBytes);
  if (is_key_body(line)) {
    ++count_;
    return "[secret removed]";
  }
  if (home_.size() > 1)
    for (size_t at = 0; (at = line.find(home_, at)) != line.npos; ++at) {
      const size_t end = at + home_.size();
      if (end < line.size() && is_word(line[end])) continue;  // another, longer name
      line.replace(at, home_.size(), "~");
      ++count_;
    }
  for (const Rule& rule : rules()) {
    std::string after = std::regex_replace(line, rule.pattern, rule.with);
    if (after == line) continue;
    ++count_;
    line = std::move(after);
  }
  replace_words(line, user_, "[user]");
  replace_words(line, host_, "[host]");
  return line;
}

std::string Redactor::redacted(std::string_view text) const {
  std::string result;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    result += redacted_line(std::string(text.substr(begin, end - begin)));
    if (end < text.size()) result += '\n';
    begin = end + 1;
  }
  return result;
}

}  // namespace toolkit::diagnose
