#include "core/http/part_hasher.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "core/base/error.h"
#include "core/files/folder.h"
#include "core/hash/hasher.h"

namespace toolkit::http {

namespace {

constexpr size_t kPiece = 1 << 20;

}  // namespace

PartHasher::PartHasher(int descriptor, std::filesystem::path path, uint64_t size_bytes,
                       hash::Algorithm algorithm, std::function<void()> wake)
    : descriptor_(descriptor),
      path_(std::move(path)),
      size_bytes_(size_bytes),
      algorithm_(algorithm),
      wake_(std::move(wake)),
      thread_([this] { run(); }) {}

PartHasher::~PartHasher() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void PartHasher::grow(uint64_t prefix_bytes) {
  {
    const std::lock_guard lock(mutex_);
    if (prefix_bytes == prefix_bytes_) return;
    // Not for every few bytes: waking costs more than hashing them.
    const bool worth = prefix_bytes == size_bytes_ || prefix_bytes - prefix_bytes_ >= kPiece;
    if (!worth) return;
    prefix_bytes_ = prefix_bytes;
  }
  changed_.notify_one();
}

bool PartHasher::done() const {
  const std::lock_guard lock(mutex_);
  return digest_ || trouble_;
}

hash::Digest PartHasher::digest() const {
  const std::lock_guard lock(mutex_);
  if (trouble_) std::rethrow_exception(trouble_);
  return digest_.value();
}

void PartHasher::run() {
  try {
    const hash::Digest digest = hash_all();
    const std::lock_guard lock(mutex_);
    digest_ = digest;
  } catch (...) {
    const std::lock_guard lock(mutex_);
    trouble_ = std::current_exception();
  }
  wake_();
}

hash::Digest PartHasher::hash_all() {
  hash::Hasher hasher(algorithm_, size_bytes_);
  std::vector<uint8_t> piece(std::min<uint64_t>(kPiece, size_bytes_));
  uint64_t hashed = 0;
  while (hashed < size_bytes_) {
    size_t want = 0;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stop_ || prefix_bytes_ > hashed; });
      if (stop_) fail(ErrorKind::kInternal, "{}: no longer wanted", path_.string());
      want = static_cast<size_t>(std::min<uint64_t>(piece.size(), prefix_bytes_ - hashed));
    }
    const ssize_t count = ::pread(descriptor_, piece.data(), want, static_cast<off_t>(hashed));
    if (count <= 0)
      fail(ErrorKind::kIo, "{}: cannot be read back: {}", path_.string(),
           count < 0 ? std::strerror(errno) : "it became shorter");
    hasher.update({piece.data(), static_cast<size_t>(count)});
    hashed += static_cast<uint64_t>(count);
  }
  files::sync_file(descriptor_, path_);
  return hasher.finish();
}

}  // namespace toolkit::http
