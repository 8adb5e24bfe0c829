#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/hash/digest.h"

namespace toolkit::http {

/// One stretch of a file that is being fetched.
struct PartRange {
  uint64_t begin = 0, end = 0;
  uint64_t done = 0;  // bytes there, counted from `begin`
};

/// A file on its way, `<part>`, with `<part>.state` beside it that says what is there. The state is
/// 512 bytes of JSON {"state":1,"size":..,"digest":..,"etag":..,"origin":..} filled up with blanks,
/// then 16 bytes per range (begin, done; little-endian): a record never crosses a page, is
/// overwritten in place and always after its data, so that a kill -9 at any moment leaves a state
/// that is true. (A power loss may not: the digest at the end finds it.)
class PartFile {
 public:
  /// Goes on with what is there when size and digest are these; else begins anew with ranges of
  /// `range_bytes` (at most 1024 of them). A part that has a second name was published already: it
  /// is only read, and when it must begin anew it gets a file of its own. Throws Error(kIo).
  PartFile(const std::filesystem::path& path, uint64_t size_bytes, const hash::Digest& digest,
           uint64_t range_bytes);
  ~PartFile();
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  int descriptor() const { return part_; }
  const std::vector<PartRange>& ranges() const { return ranges_; }
  uint64_t done_bytes() const;
  uint64_t prefix_bytes() const;  // without a gap from the beginning
  bool complete() const { return done_bytes() == size_bytes_; }
  /// Something was there, but of another content.
  bool was_other() const { return was_other_; }

  /// The next bytes of a range. Throws Error(kIo) with what a full disk needs and has.
  void write(size_t range, const char* bytes, size_t size);
  void record();  // after writes, at the latest before waiting
  /// The header ETag as it was sent, and by whom: "" for one that cannot be kept.
  const std::string& etag() const { return etag_; }
  const std::string& etag_origin() const { return etag_origin_; }
  void set_etag(const std::string& etag, const std::string& origin);
  void restart(uint64_t range_bytes);  // from zero

  /// Bytes that a part already has of this content.
  static uint64_t done_bytes_of(const std::filesystem::path& path, uint64_t size_bytes,
                                const hash::Digest& digest);

 private:
  void open_part();
  void take_own_file();
  void write_header();
  void write_at(int descriptor, const char* bytes, size_t size, uint64_t offset);

  std::filesystem::path path_, state_path_;
  uint64_t size_bytes_ = 0;
  std::string digest_, etag_, etag_origin_;
  int part_ = -1, state_ = -1;
  std::vector<PartRange> ranges_;
  std::vector<bool> changed_;
  bool was_other_ = false;
};

}  // namespace toolkit::http
