#include "core/report/svg_text.h"

namespace toolkit::report {

std::string svg_text(const std::string& text) {
  std::string result;
  for (char c : text) {
    if (c == '&')
      result += "&amp;";
    else if (c == '<')
      result += "&lt;";
    else if (c == '>')
      result += "&gt;";
    else if (c == '"')
      result += "&quot;";
    else if (static_cast<unsigned char>(c) >= 0x20)
      result += c;  // control characters are not XML
  }
  return result;
}

}  // namespace toolkit::report
