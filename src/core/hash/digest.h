#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace toolkit::hash {

enum class Algorithm {
  kSha256,   // 64 hexadecimal digits: Ollama's blobs, Git LFS
  kGitBlob,  // 40: sha1("blob <size>\0" + content), small files on the hub
};

/// A checked content name.
struct Digest {
  Algorithm algorithm = Algorithm::kSha256;
  std::string hex;  // lower case, full length
  bool operator==(const Digest&) const = default;
};

/// "sha256:<64 hex>", "sha256-<64 hex>", plain 64 or 40 hex digits, nothing else (no path can hide
/// in one). Empty if the text is not a digest.
std::optional<Digest> parse_digest(std::string_view text);

}  // namespace toolkit::hash
