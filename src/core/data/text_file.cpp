#include "core/data/text_file.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "core/base/error.h"

namespace toolkit::data {

namespace fs = std::filesystem;

void check_is_plain_file(const fs::path& path) {
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  if (status.type() == fs::file_type::not_found) {
    fail(ErrorKind::kNotFound, "{}: no such file", path.string());
  }
  if (code) fail(ErrorKind::kIo, "{}: cannot be read: {}", path.string(), code.message());
  if (status.type() == fs::file_type::directory) {
    fail(ErrorKind::kUserInput, "{}: expected a file, found a folder", path.string());
  }
  if (status.type() != fs::file_type::regular) {
    fail(ErrorKind::kUserInput,
         "{}: expected a plain file, found a pipe, socket or device; copy its content to a file "
         "first",
         path.string());
  }
}

namespace {

constexpr size_t kBufferBytes = size_t{1} << 18;

void check_looks_like_text(std::string_view start, const fs::path& path) {
  static constexpr std::array<std::pair<std::string_view, const char*>, 6> kOthers = {{
      {"\x1f\x8b", "gzip: unpack it with `gunzip`"},
      {"PK\x03\x04", "a zip archive: unpack it first"},
      {"PAR1", "Parquet: name it .parquet"},
      {"\x28\xb5\x2f\xfd", "zstd: unpack it with `unzstd`"},
      {"\xff\xfe", "UTF-16 text: convert it with `iconv -f utf-16 -t utf-8`"},
      {"\xfe\xff", "UTF-16 text: convert it with `iconv -f utf-16 -t utf-8`"},
  }};
  for (const auto& [magic, found] : kOthers) {
    if (start.substr(0, magic.size()) == magic) {
      fail(ErrorKind::kUserInput, "{}: expected text in UTF-8, found {}", path.string(), found);
    }
  }
}

}  // namespace

TextFile::TextFile(const fs::path& path) : path_(path), buffer_(kBufferBytes) {
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

void TextFile::fill() {
  begin_ = 0;
  end_ = std::fread(buffer_.data(), 1, buffer_.size(), file_.get());
  if (end_ == 0 && std::ferror(file_.get())) {
    fail(ErrorKind::kIo, "{}: reading failed: {}", path_.string(), std::strerror(errno));
  }
}

std::string_view TextFile::rest() {
  if (begin_ >= end_) fill();
  return {buffer_.data() + begin_, end_ - begin_};
}

}  // namespace toolkit::data
