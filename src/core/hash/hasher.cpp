#include "core/hash/hasher.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "core/base/error.h"

namespace toolkit::hash {

namespace {

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

/// Reading to compare is no use: the time of the last read stays as it was, where the owner asks.
int open_for_hashing(const std::filesystem::path& path) {
  constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
#ifdef O_NOATIME
  const int descriptor = ::open(path.c_str(), kFlags | O_NOATIME);
  if (descriptor >= 0 || errno != EPERM) return descriptor;
#endif
  return ::open(path.c_str(), kFlags);
}

/// A descriptor that is closed again.
struct OpenFile {
  explicit OpenFile(const std::filesystem::path& path) : descriptor(open_for_hashing(path)) {
    if (descriptor < 0)
      fail(ErrorKind::kIo, "{}: cannot open: {}", path.string(), std::strerror(errno));
  }
  ~OpenFile() { ::close(descriptor); }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int descriptor;
};

struct stat regular_file_status(const OpenFile& file, const std::filesystem::path& path) {
  struct stat status{};
  if (::fstat(file.descriptor, &status) != 0)
    fail(ErrorKind::kIo, "{}: cannot look at it: {}", path.string(), std::strerror(errno));
  // A pipe or device of that name would be read for ever.
  if (!S_ISREG(status.st_mode))
    fail(ErrorKind::kIo, "{}: expected a regular file, found something else", path.string());
  return status;
}

/// Linux calls it st_mtim, macOS st_mtimespec.
timespec modified(const auto& status) {
  if constexpr (requires { status.st_mtim; })
    return status.st_mtim;
  else
    return status.st_mtimespec;
}

bool same_content_as_far_as_told(const struct stat& a, const struct stat& b) {
  return a.st_size == b.st_size && modified(a).tv_sec == modified(b).tv_sec &&
         modified(a).tv_nsec == modified(b).tv_nsec;
}

void announce_sequential_read([[maybe_unused]] int descriptor) {
#ifdef POSIX_FADV_SEQUENTIAL
  ::posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL);  // doubles the kernel's read-ahead
#endif
}

}  // namespace

struct Hasher::State {
  Algorithm algorithm;
  std::unique_ptr<EVP_MD_CTX, FreeContext> context;
};

Hasher::Hasher(Algorithm algorithm, uint64_t size_bytes)
    : state_(std::make_unique<State>(
          State{algorithm, std::unique_ptr<EVP_MD_CTX, FreeContext>(EVP_MD_CTX_new())})) {
  const EVP_MD* method = algorithm == Algorithm::kSha256 ? EVP_sha256() : EVP_sha1();
  if (!state_->context || EVP_DigestInit_ex(state_->context.get(), method, nullptr) != 1)
    fail(ErrorKind::kInternal, "OpenSSL offers no {}",
         algorithm == Algorithm::kSha256 ? "sha256" : "sha1");
  if (algorithm == Algorithm::kGitBlob) {
    const std::string header = fmt::format("blob {}", size_bytes);
    // The terminating NUL is part of git's header.
    update({reinterpret_cast<const uint8_t*>(header.c_str()), header.size() + 1});
  }
}

Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::update(std::span<const uint8_t> bytes) {
  if (!state_ || !state_->context) fail(ErrorKind::kInternal, "Hasher: used after finish()");
  if (EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) != 1)
    fail(ErrorKind::kInternal, "OpenSSL: EVP_DigestUpdate failed");
}

Digest Hasher::finish() {
  if (!state_ || !state_->context) fail(ErrorKind::kInternal, "Hasher: used after finish()");
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned int count = 0;
  const bool made = EVP_DigestFinal_ex(state_->context.get(), bytes.data(), &count) == 1;
  state_->context.reset();
  if (!made) fail(ErrorKind::kInternal, "OpenSSL: EVP_DigestFinal failed");
  constexpr char kDigits[] = "0123456789abcdef";
  Digest digest{state_->algorithm, {}};
  for (unsigned int i = 0; i < count; ++i) {
    digest.hex += kDigits[bytes[i] >> 4];
    digest.hex += kDigits[bytes[i] & 15];
  }
  return digest;
}

Digest hash_bytes(Algorithm algorithm, std::span<const uint8_t> bytes) {
  Hasher hasher(algorithm, bytes.size());
  hasher.update(bytes);
  return hasher.finish();
}

Digest hash_file(const std::filesystem::path& path, Algorithm algorithm,
                 const std::function<void(uint64_t done)>& progress) {
  constexpr uint64_t kProgressBytes = uint64_t{1} << 23;
  const OpenFile file(path);
  const struct stat before = regular_file_status(file, path);
  announce_sequential_read(file.descriptor);
  const auto size_bytes = static_cast<uint64_t>(before.st_size);
  Hasher hasher(algorithm, size_bytes);
  std::vector<uint8_t> piece(size_t{1} << 20);
  uint64_t done = 0, told = 0;
  for (;;) {
    const ssize_t count = ::read(file.descriptor, piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(ErrorKind::kIo, "{}: cannot read: {}", path.string(), std::strerror(errno));
    if (count == 0) break;
    hasher.update({piece.data(), static_cast<size_t>(count)});
    done += static_cast<uint64_t>(count);
    if (done > size_bytes) break;  // it grows: said below
    if (progress && done - told >= kProgressBytes) progress(told = done);
  }
  if (done != size_bytes || !same_content_as_far_as_told(before, regular_file_status(file, path)))
    fail(ErrorKind::kIo,
         "{}: changed while it was read ({} bytes expected, {} found); try again when nothing "
         "writes to it",
         path.string(), size_bytes, done);
  if (progress && done != told) progress(done);
  return hasher.finish();
}

}  // namespace toolkit::hash
