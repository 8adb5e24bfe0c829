#include "core/report/svg_text.h"

#include <fmt/format.h>

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

std::string svg_page(const std::string& title, double width, double height, const char* style) {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1:.0f}\" width=\"{0}\" "
      "height=\"{1:.0f}\" role=\"img\">\n<title>{2}</title>\n{3}"
      "<rect class=\"page\" width=\"{0}\" height=\"{1:.0f}\" rx=\"8\"/>\n"
      "<text class=\"title\" x=\"24\" y=\"32\">{2}</text>\n",
      width, height, svg_text(title), style);
}

}  // namespace toolkit::report
