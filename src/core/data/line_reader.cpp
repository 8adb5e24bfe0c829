#include "core/data/line_reader.h"

#include <algorithm>
#include <string_view>

namespace toolkit::data {

LineReader::LineReader(const std::filesystem::path& path, size_t limit_bytes)
    : file_(path), limit_bytes_(limit_bytes) {}

bool LineReader::next(Line& line) {
  line.text.clear();
  line.too_long = false;
  line.ended = false;
  bool any = false;
  while (!line.ended) {
    const std::string_view rest = file_.rest();
    if (rest.empty()) break;
    any = true;
    const size_t newline = rest.find('\n');
    const size_t taken = std::min(newline, rest.size());
    const size_t room = limit_bytes_ - std::min(limit_bytes_, line.text.size());
    line.text.append(rest.substr(0, std::min(taken, room)));
    line.too_long = line.too_long || taken > room;
    line.ended = newline != std::string_view::npos;
    file_.take(taken + (line.ended ? 1 : 0));
  }
  if (!any) return false;
  line.number = ++number_;
  if (!line.text.empty() && line.text.back() == '\r') line.text.pop_back();
  return true;
}

}  // namespace toolkit::data
