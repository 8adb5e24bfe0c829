#include "core/http/part_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <limits>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/files/disk_space.h"

namespace toolkit::http {

namespace {

constexpr size_t kHeaderBytes = 512, kRecordBytes = 16, kMostRanges = 1024;
constexpr size_t kMostEtagBytes = 128, kMostOriginBytes = 160;

using Record = std::array<uint64_t, 2>;
static_assert(std::endian::native == std::endian::little && sizeof(Record) == kRecordBytes,
              "records are written as they lie in memory");

std::filesystem::path state_path_of(const std::filesystem::path& path) {
  return path.string() + ".state";
}

[[noreturn]] void fail_with_errno(const std::filesystem::path& path, const char* what, int code) {
  fail(ErrorKind::kIo, "{}: {}: {}", path.string(), what, std::strerror(code));
}

std::string digest_text(const hash::Digest& digest) {
  return (digest.algorithm == hash::Algorithm::kSha256 ? "sha256:" : "git:") + digest.hex;
}

std::vector<PartRange> fresh_ranges(uint64_t size_bytes, uint64_t range_bytes) {
  const uint64_t step = std::max({range_bytes, size_bytes / kMostRanges + 1, uint64_t{1}});
  std::vector<PartRange> ranges;
  for (uint64_t begin = 0; begin < size_bytes; begin += step)
    ranges.push_back({begin, std::min(size_bytes, begin + step), 0});
  return ranges;
}

/// What a state file says; no ranges when it says nothing usable.
struct SavedState {
  std::string etag, origin;
  std::vector<PartRange> ranges;
};

SavedState parse_state(const std::string& bytes, uint64_t size_bytes, const std::string& digest,
                       uint64_t part_bytes) {
  SavedState state;
  if (bytes.size() < kHeaderBytes || (bytes.size() - kHeaderBytes) % kRecordBytes != 0) return {};
  try {
    const Json header = parse_json(std::string_view(bytes).substr(0, kHeaderBytes), "state", 4);
    if (header.at("state") != 1 || header.at("size").get<uint64_t>() != size_bytes ||
        header.at("digest") != digest)
      return {};
    state.etag = header.at("etag").get<std::string>();
    state.origin = header.at("origin").get<std::string>();
  } catch (const std::exception&) {
    return {};
  }
  for (size_t at = kHeaderBytes; at < bytes.size(); at += kRecordBytes) {
    Record record;
    std::memcpy(record.data(), bytes.data() + at, kRecordBytes);
    if (!state.ranges.empty()) state.ranges.back().end = record[0];
    state.ranges.push_back({record[0], size_bytes, record[1]});
  }
  uint64_t end = 0;
  for (const PartRange& range : state.ranges) {
    const bool fits = range.begin == end && range.end > range.begin && range.end <= size_bytes &&
                      range.done <= range.end - range.begin &&
                      (range.done == 0 || range.begin + range.done <= part_bytes);
    if (!fits) return {};
    end = range.end;
  }
  return end == size_bytes ? state : SavedState{};
}

constexpr int kOpenOrMake = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC;

bool has_other_names(int descriptor) {
  struct stat status{};
  return ::fstat(descriptor, &status) != 0 || status.st_nlink > 1;
}

std::string read_all(int descriptor) {
  std::string bytes(kHeaderBytes + kMostRanges * kRecordBytes + 1, '\0');
  const ssize_t count = ::pread(descriptor, bytes.data(), bytes.size(), 0);
  bytes.resize(static_cast<size_t>(std::max<ssize_t>(count, 0)));
  return bytes;
}

uint64_t file_bytes(int descriptor) {
  struct stat status{};
  return ::fstat(descriptor, &status) == 0 ? static_cast<uint64_t>(status.st_size) : 0;
}

uint64_t sum_done(const std::vector<PartRange>& ranges) {
  uint64_t sum = 0;
  for (const PartRange& range : ranges) sum += range.done;
  return sum;
}

}  // namespace

PartFile::PartFile(const std::filesystem::path& path, uint64_t size_bytes,
                   const hash::Digest& digest, uint64_t range_bytes)
    : path_(path),
      state_path_(state_path_of(path)),
      size_bytes_(size_bytes),
      digest_(digest_text(digest)) {
  if (size_bytes > static_cast<uint64_t>(std::numeric_limits<off_t>::max()))
    fail(ErrorKind::kUserInput, "{}: a size of {} bytes cannot be", path.string(), size_bytes);
  open_part();
  state_ = ::open(state_path_.c_str(), kOpenOrMake, 0600);
  if (state_ < 0) {
    const int code = errno;
    ::close(part_);
    fail_with_errno(state_path_, "cannot be opened", code);
  }
  SavedState saved = parse_state(read_all(state_), size_bytes_, digest_, file_bytes(part_));
  const bool writable = !has_other_names(part_);
  if (!saved.ranges.empty() && (writable || sum_done(saved.ranges) == size_bytes_)) {
    ranges_ = std::move(saved.ranges);
    etag_ = std::move(saved.etag);
    etag_origin_ = std::move(saved.origin);
    changed_.assign(ranges_.size(), false);
    return;
  }
  was_other_ = file_bytes(part_) > 0;
  try {
    restart(range_bytes);
  } catch (...) {
    ::close(part_);
    ::close(state_);
    throw;
  }
}

void PartFile::open_part() {
  part_ = ::open(path_.c_str(), kOpenOrMake, 0600);
  // A published one is read-only.
  if (part_ < 0 && errno == EACCES)
    part_ = ::open(path_.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (part_ < 0) fail_with_errno(path_, "cannot be opened", errno);
}

void PartFile::take_own_file() {
  ::unlink(path_.c_str());
  const int own = ::open(path_.c_str(), kOpenOrMake | O_EXCL, 0600);
  if (own < 0) fail_with_errno(path_, "cannot be made", errno);
  ::close(part_);
  part_ = own;
}

PartFile::~PartFile() {
  try {
    record();
  } catch (const Error&) {  // the disk is full: what was recorded before is still true
  }
  ::close(state_);
  ::close(part_);
}

uint64_t PartFile::done_bytes() const {
  return sum_done(ranges_);
}

uint64_t PartFile::prefix_bytes() const {
  uint64_t prefix = 0;
  for (const PartRange& range : ranges_) {
    prefix += range.done;
    if (range.done < range.end - range.begin) break;
  }
  return prefix;
}

void PartFile::write_at(int descriptor, const char* bytes, size_t size, uint64_t offset) {
  while (size > 0) {
    const ssize_t count = ::pwrite(descriptor, bytes, size, static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == ENOSPC || errno == EDQUOT))
      fail(ErrorKind::kIo,
           "{}: the disk is full: {} more are needed for this file, {} are free. Make room and run "
           "the same command again: it goes on where it stopped",
           path_.string(), files::shown_bytes(size_bytes_ - std::min(size_bytes_, done_bytes())),
           files::shown_bytes(files::disk_space(path_.parent_path()).free_bytes));
    if (count < 0) fail_with_errno(path_, "cannot be written", errno);
    bytes += count;
    offset += static_cast<uint64_t>(count);
    size -= static_cast<size_t>(count);
  }
}

void PartFile::write(size_t range, const char* bytes, size_t size) {
  PartRange& at = ranges_.at(range);
  if (size > at.end - at.begin - at.done)
    fail(ErrorKind::kInternal, "{}: bytes beyond their range", path_.string());
  write_at(part_, bytes, size, at.begin + at.done);
  at.done += size;
  changed_[range] = true;
}

void PartFile::record() {
  for (size_t i = 0; i < ranges_.size(); ++i) {
    if (!changed_[i]) continue;
    const Record record{ranges_[i].begin, ranges_[i].done};
    write_at(state_, reinterpret_cast<const char*>(record.data()), kRecordBytes,
             kHeaderBytes + i * kRecordBytes);
    changed_[i] = false;
  }
}

void PartFile::write_header() {
  std::string header = Json{
      {"state", 1},
      {"size", size_bytes_},
      {"digest", digest_},
      {"etag", etag_},
      {"origin",
       etag_origin_}}.dump();
  if (header.size() >= kHeaderBytes) fail(ErrorKind::kInternal, "state of a download too long");
  header.resize(kHeaderBytes - 1, ' ');
  header += '\n';
  write_at(state_, header.data(), header.size(), 0);
}

void PartFile::set_etag(const std::string& etag, const std::string& origin) {
  // Quoted text that JSON keeps as it is, or nothing.
  const bool fit = etag.size() <= kMostEtagBytes && origin.size() <= kMostOriginBytes &&
                   std::all_of(etag.begin(), etag.end(),
                               [](char c) { return c > ' ' && c < 0x7F && c != '\\'; });
  if (!fit || (etag == etag_ && origin == etag_origin_)) return;
  etag_ = etag;
  etag_origin_ = origin;
  write_header();
}

void PartFile::restart(uint64_t range_bytes) {
  etag_.clear();
  etag_origin_.clear();
  ranges_ = fresh_ranges(size_bytes_, range_bytes);
  changed_.assign(ranges_.size(), true);
  // The state becomes untrue first, then the data goes.
  if (::ftruncate(state_, 0) != 0) fail_with_errno(state_path_, "cannot be emptied", errno);
  if (has_other_names(part_))
    take_own_file();
  else if (::ftruncate(part_, 0) != 0)
    fail_with_errno(path_, "cannot be emptied", errno);
  write_header();
  record();
}

uint64_t PartFile::done_bytes_of(const std::filesystem::path& path, uint64_t size_bytes,
                                 const hash::Digest& digest) {
  const int part = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (part < 0) return 0;
  const uint64_t part_bytes = file_bytes(part);
  ::close(part);
  const int state = ::open(state_path_of(path).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (state < 0) return 0;
  const std::string bytes = read_all(state);
  ::close(state);
  return sum_done(parse_state(bytes, size_bytes, digest_text(digest), part_bytes).ranges);
}

}  // namespace toolkit::http
