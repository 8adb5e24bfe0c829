#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "core/hash/digest.h"

namespace toolkit::http {

/// Hashes a file on a thread of its own while it grows, following the part without gaps (read back
/// from the page cache), and syncs it at the end: the network never waits for either.
class PartHasher {
 public:
  /// `descriptor` must stay open; `wake` is called from the thread once done() is true.
  PartHasher(int descriptor, std::filesystem::path path, uint64_t size_bytes,
             hash::Algorithm algorithm, std::function<void()> wake);
  ~PartHasher();  // gives up what is not hashed yet
  PartHasher(const PartHasher&) = delete;
  PartHasher& operator=(const PartHasher&) = delete;

  void grow(uint64_t prefix_bytes);
  bool done() const;
  hash::Digest digest() const;  // after done(): synced to disk; or throws Error(kIo)

 private:
  void run();
  hash::Digest hash_all();

  int descriptor_;
  std::filesystem::path path_;
  uint64_t size_bytes_;
  hash::Algorithm algorithm_;
  std::function<void()> wake_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t prefix_bytes_ = 0;
  bool stop_ = false;
  std::optional<hash::Digest> digest_;
  std::exception_ptr trouble_;
  std::thread thread_;
};

}  // namespace toolkit::http
