#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>

#include "core/hash/digest.h"

namespace toolkit::hash {

/// Digest of bytes as they come (OpenSSL EVP: the processor's SHA instructions where it has them).
class Hasher {
 public:
  /// `size_bytes` of the whole content stands in the header of kGitBlob; kSha256 ignores it.
  explicit Hasher(Algorithm algorithm, uint64_t size_bytes = 0);
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  void update(std::span<const uint8_t> bytes);
  Digest finish();  // once; throws Error(kInternal) when used again

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Digest hash_bytes(Algorithm algorithm, std::span<const uint8_t> bytes);

/// Digest of a whole file; at least 80 % of `sha256sum`'s rate (reading ahead, 1 MiB at a time).
/// `progress` gets the bytes done and may throw to end it. The file's access time stays on Linux
/// where this user owns the file. Throws Error(kIo), also when the file's size or time changed
/// meanwhile.
Digest hash_file(const std::filesystem::path& path, Algorithm algorithm,
                 const std::function<void(uint64_t done)>& progress = {});

}  // namespace toolkit::hash
