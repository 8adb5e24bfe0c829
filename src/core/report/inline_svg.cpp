#include "core/report/inline_svg.h"

#include <algorithm>

namespace toolkit::report {

namespace {

std::string trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \n");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(" \n") - begin + 1);
}

/// "a, b" -> "#id a, #id b"
std::string within(const std::string& selectors, const std::string& id) {
  std::string result;
  for (size_t begin = 0; begin <= selectors.size();) {
    const size_t end = std::min(selectors.find(',', begin), selectors.size());
    result +=
        (result.empty() ? "#" : ", #") + id + " " + trimmed(selectors.substr(begin, end - begin));
    begin = end + 1;
  }
  return result;
}

/// Rules inside @media blocks included.
std::string scoped(const std::string& css, const std::string& id) {
  std::string result;
  for (size_t at = 0; at < css.size();) {
    const size_t brace = css.find_first_of("{}", at);
    if (brace == std::string::npos) break;
    const std::string head = trimmed(css.substr(at, brace - at));
    at = brace + 1;
    if (css[brace] == '}') {
      result += "}\n";
    } else if (head.starts_with("@")) {
      result += head + " {\n";
    } else {
      const size_t end = std::min(css.find('}', at), css.size());
      result += within(head, id) + " {" + css.substr(at, end - at) + "}\n";
      at = end + 1;
    }
  }
  return result;
}

}  // namespace

std::string inline_svg(const std::string& svg, const std::string& id) {
  const std::string open = "<style>", close = "</style>";
  std::string result = svg;
  const size_t begin = result.find(open), end = result.find(close);
  if (begin != std::string::npos && end != std::string::npos) {
    const size_t from = begin + open.size();
    result.replace(from, end - from, "\n" + scoped(result.substr(from, end - from), id));
  }
  if (const size_t tag = result.find("<svg "); tag != std::string::npos)
    result.insert(tag + 5, "id=\"" + id + "\" ");
  return result;
}

}  // namespace toolkit::report
