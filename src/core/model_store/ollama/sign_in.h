#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace toolkit::model_store::ollama {

/// What a registry asks for in `WWW-Authenticate: Bearer realm="..",service="..",scope=".."`.
struct BearerChallenge {
  std::string realm, service, scope;  // scopes apart by spaces
};
/// Empty if the header is no bearer challenge with a realm.
std::optional<BearerChallenge> parse_challenge(std::string_view header);

/// The key that the user's Ollama made, by which a registry knows them (Ed25519, RFC 8032).
struct SigningKey {
  std::array<uint8_t, 32> seed{}, public_key{};
};
/// OpenSSH's "openssh-key-v1" format without a passphrase, as Ollama writes it (PROTOCOL.key of
/// OpenSSH). Throws Error(kUserInput) naming `where`, never a byte of the key.
SigningKey parse_signing_key(std::string_view text, const std::string& where);
/// ~/.ollama/id_ed25519, where Ollama makes and looks for it.
std::filesystem::path signing_key_file();
/// Empty when there is no such file, and (with a warning) when other users may read it.
std::optional<SigningKey> read_signing_key(const std::filesystem::path& path);

/// Where a token is asked for: the realm with service, scopes, time and a number used once.
std::string token_url(const BearerChallenge& challenge, int64_t unix_seconds,
                      std::string_view nonce);
/// 16 random bytes in base64 for addresses.
std::string new_nonce();
/// The Authorization header of GET `url`: "<public key>:<signature>", both in base64, the public
/// key in SSH's wire form, the signature of "GET,<url>,<base64 of the empty body's sha256 in
/// hexadecimal>".
std::string sign_in_header(const SigningKey& key, std::string_view url);

}  // namespace toolkit::model_store::ollama
