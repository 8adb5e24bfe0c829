#include "core/data/line_reader.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "core/base/error.h"

namespace toolkit::data {
namespace {

namespace fs = std::filesystem;

constexpr size_t kBufferBytes = size_t{1} << 18;

void check_is_plain_file(const fs::path& path) {
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  if (status.type() == fs::file_type::not_found) {
    fail(ErrorKind::kNotFound, "{}: no such file", path.string());
  }
  if (code) fail(ErrorKind::kIo, "{}: cannot be read: {}", path.string(), code.message());
  if (status.type() == fs::file_type::directory) {
    fail(ErrorKind::kUserInput, "{}: expected a JSONL file, found a folder", path.string());
  }
  if (status.type() != fs::file_type::regular) {
    fail(ErrorKind::kUserInput,
         "{}: expected a plain file, found a pipe, socket or device; copy its content to a file "
         "first",
         path.string());
  }
}

void check_looks_like_text(std::string_view start, const fs::path& path) {
  static constexpr std::array<std::pair<std::string_view, const char*>, 6> kOthers = {{
      {"\x1f\x8b", "gzip: unpack it with `gunzip`"},
      {"PK\x03\x04", "a zip archive: unpack it first"},
      {"PAR1", "Parquet: convert it to JSONL first"},
      {"\x28\xb5\x2f\xfd", "zstd: unpack it with `unzstd`"},
      {"\xff\xfe", "UTF-16 text: convert it with `iconv -f utf-16 -t utf-8`"},
      {"\xfe\xff", "UTF-16 text: convert it with `iconv -f utf-16 -t utf-8`"},
  }};
  for (const auto& [magic, found] : kOthers) {
    if (start.substr(0, magic.size()) == magic) {
      fail(ErrorKind::kUserInput, "{}: expected JSONL in UTF-8, found {}", path.string(), found);
    }
  }
}

}  // namespace

LineReader::LineReader(const fs::path& path, size_t limit_bytes)
    : path_(path), limit_bytes_(limit_bytes), buffer_(kBufferBytes) {
  check_is_plain_file(path);
  file_.reset(std::fopen(path.c_str(), "rb"));
  if (!file_) {
    fail(ErrorKind::kIo, "{}: cannot be opened: {}", path.string(), std::strerror(errno));
  }
  fill();
  const std::string_view start(buffer_.data(), end_);
  check_looks_like_text(start, path);
  if (start.substr(0, 3) == "\xef\xbb\xbf") begin_ = 3;
}

bool LineReader::fill() {
  begin_ = 0;
  end_ = std::fread(buffer_.data(), 1, buffer_.size(), file_.get());
  if (end_ == 0 && std::ferror(file_.get())) {
    fail(ErrorKind::kIo, "{}: reading failed after line {}: {}", path_.string(), number_,
         std::strerror(errno));
  }
  return end_ > 0;
}

bool LineReader::next(Line& line) {
  line.text.clear();
  line.too_long = false;
  line.ended = false;
  bool any = false;
  while (!line.ended && (begin_ < end_ || fill())) {
    any = true;
    const char* first = buffer_.data() + begin_;
    const size_t available = end_ - begin_;
    const void* newline = std::memchr(first, '\n', available);
    const size_t taken =
        newline ? static_cast<size_t>(static_cast<const char*>(newline) - first) : available;
    const size_t room = limit_bytes_ - std::min(limit_bytes_, line.text.size());
    line.text.append(first, std::min(taken, room));
    line.too_long = line.too_long || taken > room;
    begin_ += taken + (newline ? 1 : 0);
    line.ended = newline != nullptr;
  }
  if (!any) return false;
  line.number = ++number_;
  if (!line.text.empty() && line.text.back() == '\r') line.text.pop_back();
  return true;
}

}  // namespace toolkit::data
