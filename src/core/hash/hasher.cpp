#include "core/hash/hasher.h"

#include "core/base/error.h"

namespace toolkit::hash {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

struct Hasher::State {};

Hasher::Hasher(Algorithm, uint64_t) {
  not_there_yet("Hasher");
}

Hasher::~Hasher() = default;

Hasher::Hasher(Hasher&&) noexcept = default;

Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::update(std::span<const uint8_t>) {
  not_there_yet("update");
}

Digest Hasher::finish() {
  not_there_yet("finish");
}

Digest hash_bytes(Algorithm, std::span<const uint8_t>) {
  not_there_yet("hash_bytes");
}

Digest hash_file(const std::filesystem::path&, Algorithm,
                 const std::function<void(uint64_t done)>&) {
  not_there_yet("hash_file");
}

}  // namespace toolkit::hash
