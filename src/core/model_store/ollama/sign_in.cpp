#include "core/model_store/ollama/sign_in.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/paths.h"
#include "core/files/identity.h"
#include "core/hash/hasher.h"
#include "core/http/url.h"

namespace toolkit::model_store::ollama {

namespace {

constexpr std::string_view kBegin = "-----BEGIN OPENSSH PRIVATE KEY-----";
constexpr std::string_view kEnd = "-----END OPENSSH PRIVATE KEY-----";
constexpr std::string_view kMagic{"openssh-key-v1\0", 15};
constexpr std::string_view kKind = "ssh-ed25519";
constexpr size_t kLargestKeyFile = 16 << 10;
constexpr uint32_t kOfOthers = 077;  // rights of group and everybody

std::string base64(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(size));
  return text;
}

/// Empty if it is none.
std::string from_base64(std::string_view text) {
  std::string letters;
  for (const char letter : text)
    if (letter != '\n' && letter != '\r' && letter != ' ') letters += letter;
  if (letters.empty() || letters.size() % 4 != 0) return "";
  std::string bytes(letters.size() / 4 * 3, '\0');
  if (EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                      reinterpret_cast<const unsigned char*>(letters.data()),
                      static_cast<int>(letters.size())) < 0)
    return "";
  bytes.resize(bytes.size() - (letters.ends_with("==") ? 2 : letters.ends_with('=') ? 1 : 0));
  return bytes;
}

/// SSH's wire form: numbers of four bytes, texts after their length.
class WireReader {
 public:
  WireReader(std::string_view bytes, const std::string& where) : rest_(bytes), where_(where) {}

  void expect(std::string_view wanted, const char* what) {
    if (!rest_.starts_with(wanted)) refuse(what);
    rest_.remove_prefix(wanted.size());
  }
  uint32_t number() {
    if (rest_.size() < 4) refuse("more bytes");
    uint32_t value = 0;
    for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(rest_[i]);
    rest_.remove_prefix(4);
    return value;
  }
  std::string_view text() {
    const uint32_t size = number();
    if (size > rest_.size()) refuse("more bytes");
    const std::string_view value = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return value;
  }
  [[noreturn]] void refuse(const char* expected) const {
    fail(ErrorKind::kUserInput,
         "{}: expected {} in a private key of OpenSSH's format, found something else; move the "
         "file away and start Ollama: it makes a new one",
         where_, expected);
  }

 private:
  std::string_view rest_;
  const std::string& where_;
};

std::string wire_text(std::string_view text) {
  const auto size = static_cast<uint32_t>(text.size());
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(size >> shift);
  return bytes.append(text);
}

std::array<uint8_t, 32> key_bytes(std::string_view bytes) {
  std::array<uint8_t, 32> key{};
  std::copy_n(bytes.begin(), key.size(), key.begin());
  return key;
}

struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

std::unique_ptr<EVP_PKEY, FreeKey> private_key(const SigningKey& key) {
  return std::unique_ptr<EVP_PKEY, FreeKey>(
      EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, key.seed.data(), key.seed.size()));
}

bool belong_together(const SigningKey& key) {
  const auto made = private_key(key);
  std::array<uint8_t, 32> derived{};
  size_t size = derived.size();
  return made && EVP_PKEY_get_raw_public_key(made.get(), derived.data(), &size) == 1 &&
         size == derived.size() && derived == key.public_key;
}

std::string signature(const SigningKey& key, std::string_view text) {
  const auto with = private_key(key);
  const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
  std::string bytes(64, '\0');
  size_t size = bytes.size();
  if (!with || !context ||
      EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, with.get()) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(bytes.data()), &size,
                     reinterpret_cast<const unsigned char*>(text.data()), text.size()) != 1)
    fail(ErrorKind::kInternal, "OpenSSL offers no Ed25519");
  return bytes;
}

}  // namespace

std::optional<BearerChallenge> parse_challenge(std::string_view header) {
  constexpr std::string_view kScheme = "bearer ";
  if (header.size() < kScheme.size() ||
      !std::equal(kScheme.begin(), kScheme.end(), header.begin(),
                  [](char a, char b) { return a == std::tolower(static_cast<unsigned char>(b)); }))
    return std::nullopt;
  header.remove_prefix(kScheme.size());
  BearerChallenge challenge;
  while (!header.empty()) {
    const size_t equals = header.find('=');
    if (equals == header.npos) break;
    std::string_view key = header.substr(0, equals);
    while (!key.empty() && (key.front() == ' ' || key.front() == ',')) key.remove_prefix(1);
    header.remove_prefix(equals + 1);
    std::string_view value;
    if (header.starts_with('"')) {
      const size_t end = header.find('"', 1);
      if (end == header.npos) return std::nullopt;
      value = header.substr(1, end - 1);
      header.remove_prefix(end + 1);
    } else {
      value = header.substr(0, header.find(','));
      header.remove_prefix(value.size());
    }
    if (key == "realm") challenge.realm = value;
    if (key == "service") challenge.service = value;
    if (key == "scope") challenge.scope = value;
  }
  if (challenge.realm.empty()) return std::nullopt;
  return challenge;
}

SigningKey parse_signing_key(std::string_view text, const std::string& where) {
  const size_t begin = text.find(kBegin), end = text.find(kEnd);
  std::string bytes;
  if (begin != text.npos && end != text.npos && begin + kBegin.size() < end)
    bytes = from_base64(text.substr(begin + kBegin.size(), end - begin - kBegin.size()));
  WireReader outer(bytes, where);
  outer.expect(kMagic, "'openssh-key-v1'");
  if (outer.text() != "none" || outer.text() != "none") outer.refuse("no passphrase");
  outer.text();  // options of the passphrase
  if (outer.number() != 1) outer.refuse("one key");
  outer.text();  // the public key, which stands beside the private one again
  WireReader inner(outer.text(), where);
  if (inner.number() != inner.number()) inner.refuse("two equal check numbers");
  if (inner.text() != kKind) inner.refuse("an ssh-ed25519 key");
  const std::string_view public_key = inner.text(), both = inner.text();
  if (public_key.size() != 32 || both.size() != 64) inner.refuse("32 bytes of a key");
  const SigningKey key{key_bytes(both), key_bytes(public_key)};
  if (!belong_together(key)) inner.refuse("a public key that belongs to the private one");
  return key;
}

std::filesystem::path signing_key_file() {
  return expanded_path("~/.ollama/id_ed25519");
}

std::optional<SigningKey> read_signing_key(const std::filesystem::path& path) {
  const auto file = path.empty() ? std::nullopt : files::resolved_identity(path);
  if (!file || file->kind != files::FileKind::kFile) return std::nullopt;
  if (file->mode & kOfOthers) {
    log_warning("{}: not used to sign in, since other users may read it; chmod 600 it",
                shown_path(path));
    return std::nullopt;
  }
  return parse_signing_key(read_file(path, kLargestKeyFile), shown_path(path));
}

std::string token_url(const BearerChallenge& challenge, int64_t unix_seconds,
                      std::string_view nonce) {
  std::string text = challenge.realm;
  const auto add = [&](std::string_view key, std::string_view value) {
    text += fmt::format("{}{}={}", text.find('?') == text.npos ? "?" : "&", key,
                        http::encoded_part(value));
  };
  if (!challenge.service.empty()) add("service", challenge.service);
  for (std::string_view scopes = challenge.scope; !scopes.empty();) {
    const size_t space = std::min(scopes.find(' '), scopes.size());
    if (space > 0) add("scope", scopes.substr(0, space));
    scopes.remove_prefix(std::min(space + 1, scopes.size()));
  }
  add("ts", fmt::format("{}", unix_seconds));
  add("nonce", nonce);
  return text;
}

std::string new_nonce() {
  std::string bytes(16, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size())) !=
      1)
    fail(ErrorKind::kInternal, "OpenSSL has no random numbers");
  std::string text = base64(bytes);
  text.erase(text.find_last_not_of('=') + 1);
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

std::string sign_in_header(const SigningKey& key, std::string_view url) {
  const std::string empty_body = hash::hash_bytes(hash::Algorithm::kSha256, {}).hex;
  const std::string public_text =
      wire_text(kKind) +
      wire_text({reinterpret_cast<const char*>(key.public_key.data()), key.public_key.size()});
  return base64(public_text) + ":" +
         base64(signature(key, fmt::format("GET,{},{}", url, base64(empty_body))));
}

}  // namespace toolkit::model_store::ollama
