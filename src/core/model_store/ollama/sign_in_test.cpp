#include "core/model_store/ollama/sign_in.h"

#include <doctest/doctest.h>

#include "core/base/testing.h"
#include "core/model_store/ollama/testing_key.h"

namespace toolkit::model_store::ollama {

namespace {

namespace fs = std::filesystem;
using testing::contains;
using testing::refusal_of;

std::string refused_key(const std::string& text) {
  return refusal_of([&] { parse_signing_key(text, "~/.ollama/id_ed25519"); });
}

/// The key's text with a byte of its content changed: `at` counts letters after the first line.
std::string changed(size_t at) {
  std::string text = kTestingKey;
  char& letter = text[text.find('\n') + 1 + at];
  letter = letter == 'A' ? 'B' : 'A';
  return text;
}

}  // namespace

TEST_SUITE_BEGIN("unit");

TEST_CASE("a challenge is taken apart, anything else is none") {
  const auto challenge =
      parse_challenge(R"(Bearer realm="https://r.example/token", service=r,scope="a:b,c")");
  REQUIRE(challenge);
  CHECK(challenge->realm == "https://r.example/token");
  CHECK(challenge->service == "r");
  CHECK(challenge->scope == "a:b,c");
  for (const char* text : {"", "Bearer", "Bearer ", "Basic realm=\"x\"", "Bearer service=\"x\"",
                           "Bearer realm=\"x", "Bearer realm"})
    CHECK_FALSE(parse_challenge(text));
}

TEST_CASE(
    "the token's address: parameters encoded - each scope by itself - what the realm had stays") {
  const BearerChallenge challenge{"https://r.example/token?a=1", "ollama.com", "x:y/z:pull  b"};
  CHECK(token_url(challenge, 1700000000, "n_-") ==
        "https://r.example/token?a=1&service=ollama.com&scope=x%3Ay%2Fz%3Apull&scope=b&ts="
        "1700000000&nonce=n_-");
  CHECK(token_url({"https://r.example/t", "", ""}, 1, "n") == "https://r.example/t?ts=1&nonce=n");
  const std::string nonce = new_nonce();
  CHECK(nonce.size() == 22);  // 16 bytes
  CHECK(nonce.find_first_of("+/=") == nonce.npos);
  CHECK(nonce != new_nonce());
}

TEST_CASE("the signature is that of Ollama's own code (scripts/reference/ollama_sign_in.py)") {
  CHECK(
      sign_in_header(parse_signing_key(kTestingKey, "key"),
                     "https://registry.ollama.ai/token?service=registry&scope=repository%3Aann%2Fx"
                     "%3Apull&ts=1700000000&nonce=AAECAwQFBgcICQoLDA0ODw") ==
      "AAAAC3NzaC1lZDI1NTE5AAAAIHTsJwG82HUc/FTGXzLP/SBN60vCWdHAFJ9sLNJlUtJ3:/Wyu6ZE7Cz7J3lgAhKp87Y"
      "o5qdDDa4HZxjNFCRmFlOev3TtaAND+1iiQkaj7Ufmc5WnWb9mvAAb4ytI+hnjcDA==");
}

TEST_CASE("a key that is none is refused without a word of it") {
  const std::string whole = kTestingKey;
  for (const std::string& text : {std::string(), std::string("-----BEGIN OPENSSH PRIVATE KEY-----"),
                                  whole.substr(0, whole.size() / 2),
                                  std::string("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"
                                              "-----END OPENSSH PRIVATE KEY-----\n"),
                                  "-----END OPENSSH PRIVATE KEY-----" + whole})
    CHECK(contains(refused_key(text), "~/.ollama/id_ed25519: expected"));
  // Any changed letter of the cipher, the lengths, the check numbers, the kind or the key.
  for (const size_t at : {20, 28, 40, 60, 145, 170, 180, 200, 250, 320}) {
    CAPTURE(at);
    const std::string refusal = refused_key(changed(at));
    CHECK(refusal.find("AAAA") == refusal.npos);
  }
  CHECK_FALSE(refused_key(changed(28)).empty());
  CHECK(contains(refused_key(changed(250)), "belongs to the private one"));
}

TEST_CASE("a key file: absent is none - one that others may read is not used") {
  const testing::TestingFolder folder;
  CHECK_FALSE(read_signing_key(""));
  CHECK_FALSE(read_signing_key(folder.path / "id_ed25519"));
  const fs::path path = folder.write("id_ed25519", kTestingKey);
  fs::permissions(path, fs::perms(0644));
  CHECK_FALSE(read_signing_key(path));
  fs::permissions(path, fs::perms(0600));
  CHECK(read_signing_key(path));
}

TEST_SUITE_END();

}  // namespace toolkit::model_store::ollama
