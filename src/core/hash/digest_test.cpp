#include "core/hash/digest.h"

#include <doctest/doctest.h>

#include <string>

using toolkit::hash::Algorithm;
using toolkit::hash::parse_digest;

TEST_SUITE("unit") {
  TEST_CASE("digest: the four spellings, in lower case") {
    const std::string hex(64, 'a'), short_hex(40, 'b');
    for (const std::string& text : {"sha256:" + hex, "sha256-" + hex, hex, std::string(64, 'A')}) {
      const auto digest = parse_digest(text);
      REQUIRE_MESSAGE(digest, text);
      CHECK(digest->algorithm == Algorithm::kSha256);
      CHECK(digest->hex == hex);
    }
    REQUIRE(parse_digest(short_hex));
    CHECK(parse_digest(short_hex)->algorithm == Algorithm::kGitBlob);
    CHECK(parse_digest(short_hex)->hex == short_hex);
  }

  TEST_CASE("digest: anything else is none, above all what could be a path") {
    const std::string hex(64, 'a');
    const std::string texts[] = {
        "",
        "sha256",
        "sha256:",
        "sha256:" + hex + "0",
        "sha256:" + hex.substr(1),
        "sha256:" + hex.substr(1) + "g",
        "sha256_" + hex,
        "SHA256:" + hex,
        "sha1:" + std::string(40, 'a'),
        "sha256:" + std::string(40, 'a'),
        "sha256:../../../../../../../../../../../../../../../../../../etc/passwd",
        std::string(61, 'a') + "../",
        std::string(63, 'a') + '\0',
        hex + "\n",
        " " + hex,
        std::string(41, 'b'),
        "sha256:/" + hex.substr(1)};
    for (const std::string& text : texts) CHECK_MESSAGE(!parse_digest(text), text);
  }
}
