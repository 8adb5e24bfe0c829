#include "core/monitor/sources/line_cutter.h"

namespace toolkit::monitor {

namespace {

constexpr size_t kMostLineBytes = 16 << 10;

}  // namespace

std::vector<std::string> LineCutter::add(std::string_view bytes) {
  rest_ += bytes;
  std::vector<std::string> lines;
  size_t begin = 0;
  for (size_t end; (end = rest_.find('\n', begin)) != rest_.npos; begin = end + 1)
    if (end - begin <= kMostLineBytes) lines.push_back(rest_.substr(begin, end - begin));
  rest_.erase(0, begin);
  if (rest_.size() > kMostLineBytes) rest_.resize(kMostLineBytes + 1);  // too long whatever comes
  return lines;
}

}  // namespace toolkit::monitor
