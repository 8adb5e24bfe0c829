#include "projects/generate/line_input.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/base/error.h"

namespace toolkit::generate {

LineInput::Event LineInput::next(std::string& line) {
  constexpr size_t kLimit = size_t{16} << 20;
  while (true) {
    const size_t end = buffer_.find('\n');
    if (end != std::string::npos || (ended_ && !buffer_.empty())) {
      line = buffer_.substr(0, end);
      buffer_.erase(0, end == std::string::npos ? end : end + 1);
      if (line.ends_with('\r')) line.pop_back();
      return Event::kLine;
    }
    if (ended_) return Event::kEnd;
    char piece[1 << 14];
    const ssize_t count = ::read(file_, piece, sizeof piece);
    if (count < 0 && errno == EINTR) return Event::kInterrupted;
    if (count < 0) fail(ErrorKind::kIo, "stdin cannot be read: {}", std::strerror(errno));
    if (count == 0) ended_ = true;
    buffer_.append(piece, static_cast<size_t>(count));
    if (buffer_.size() > kLimit && buffer_.find('\n') == std::string::npos)
      fail(ErrorKind::kUserInput, "a line on stdin is longer than {} MB", kLimit >> 20);
  }
}

}  // namespace toolkit::generate
