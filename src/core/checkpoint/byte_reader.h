#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace toolkit::checkpoint {

/// The file goes on, but the bytes at hand do not: whoever read them reads more and starts again.
struct NeedsMoreBytes {};

/// Reads little-endian values one after the other from the start of a file, never beyond it.
class ByteReader {
 public:
  ByteReader(std::span<const uint8_t> bytes, uint64_t file_size, const std::string& file_name)
      : bytes_(bytes), file_size_(file_size), file_name_(file_name) {}

  uint64_t position() const { return position_; }
  uint64_t file_size() const { return file_size_; }
  uint64_t left_in_file() const { return file_size_ - position_; }

  /// The next bytes. Throws Error(kUserInput) at the end of the file, NeedsMoreBytes at the end of
  /// the span.
  std::span<const uint8_t> take(uint64_t count, const char* what) {
    if (count > left_in_file())
      fail(ErrorKind::kUserInput,
           "{}: at byte {}: expected {} ({} bytes), the file has {} bytes left", file_name_,
           position_, what, count, left_in_file());
    if (count > bytes_.size() - position_) throw NeedsMoreBytes{};
    const std::span<const uint8_t> result = bytes_.subspan(position_, count);
    position_ += count;
    return result;
  }

  template <class T>
  T number(const char* what) {
    T value;
    std::memcpy(&value, take(sizeof(T), what).data(), sizeof(T));
    return value;
  }

  /// A length in 8 bytes and that many bytes.
  std::string_view text(const char* what, uint64_t longest) {
    const uint64_t at = position_;
    const auto length = number<uint64_t>(what);
    if (length > longest)
      fail(ErrorKind::kUserInput,
           "{}: at byte {}: expected {} of at most {} bytes, found a length of {}", file_name_, at,
           what, longest, length);
    const auto bytes = take(length, what);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

 private:
  std::span<const uint8_t> bytes_;
  uint64_t file_size_;
  uint64_t position_ = 0;
  const std::string& file_name_;
};

}  // namespace toolkit::checkpoint
