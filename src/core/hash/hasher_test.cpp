#include "core/hash/hasher.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "core/base/testing.h"

using toolkit::ErrorKind;
using toolkit::hash::Algorithm;
using toolkit::hash::hash_bytes;
using toolkit::hash::hash_file;
using toolkit::hash::Hasher;
using toolkit::testing::contains;
using toolkit::testing::refusal_of;
using toolkit::testing::TestingFolder;

namespace {

std::span<const uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("hasher: published test vectors (FIPS 180-4, git)") {
    CHECK(hash_bytes(Algorithm::kSha256, {}).hex ==
          "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(hash_bytes(Algorithm::kSha256, bytes_of("abc")).hex ==
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(hash_bytes(Algorithm::kSha256,
                     bytes_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))
              .hex == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    // git hash-object of an empty file and of "hello\n".
    CHECK(hash_bytes(Algorithm::kGitBlob, {}).hex == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
    CHECK(hash_bytes(Algorithm::kGitBlob, bytes_of("hello\n")).hex ==
          "ce013625030ba8dba906f756967f9e9ca394464a");
    CHECK(hash_bytes(Algorithm::kGitBlob, {}).algorithm == Algorithm::kGitBlob);
  }

  TEST_CASE("hasher: pieces of any size give the digest of the whole, once") {
    const std::string text(100000, 'a');
    const std::string whole = hash_bytes(Algorithm::kSha256, bytes_of(text)).hex;
    for (const size_t piece : {size_t{1}, size_t{63}, size_t{64}, size_t{4097}}) {
      Hasher hasher(Algorithm::kSha256);
      for (size_t at = 0; at < text.size(); at += piece)
        hasher.update(bytes_of(text).subspan(at, std::min(piece, text.size() - at)));
      CHECK(hasher.finish().hex == whole);
      CHECK(contains(refusal_of([&] { hasher.finish(); }, ErrorKind::kInternal), "after finish"));
      CHECK(contains(refusal_of([&] { hasher.update({}); }, ErrorKind::kInternal), "after finish"));
    }
  }

  TEST_CASE("hasher: a file of several pieces, with progress to its size") {
    const TestingFolder folder;
    std::string text;
    for (int i = 0; i < 3'000'000; ++i) text += static_cast<char>(i * 2654435761U >> 13);
    const auto file = folder.write("weights", text);
    uint64_t last = 0;
    const auto digest = hash_file(file, Algorithm::kSha256, [&](uint64_t done) { last = done; });
    CHECK(digest == hash_bytes(Algorithm::kSha256, bytes_of(text)));
    CHECK(last == text.size());
    CHECK(hash_file(file, Algorithm::kGitBlob) == hash_bytes(Algorithm::kGitBlob, bytes_of(text)));
    CHECK(hash_file(folder.write("empty", ""), Algorithm::kSha256).hex ==
          hash_bytes(Algorithm::kSha256, {}).hex);
  }

  TEST_CASE("hasher: a file that changes while it is read has no digest") {
    const TestingFolder folder;
    const auto file = folder.write("weights", std::string(20 << 20, 'x'));
    const std::string grown = refusal_of(
        [&] {
          hash_file(file, Algorithm::kSha256,
                    [&](uint64_t) { std::ofstream(file, std::ios::app) << "more"; });
        },
        ErrorKind::kIo);
    CHECK(contains(grown, "weights: changed while it was read"));
    CHECK(contains(grown, "20971520 bytes expected"));
    const std::string cut = refusal_of(
        [&] {
          hash_file(file, Algorithm::kSha256,
                    [&](uint64_t) { std::filesystem::resize_file(file, 9 << 20); });
        },
        ErrorKind::kIo);
    CHECK(contains(cut, "changed while it was read"));
  }

  TEST_CASE("hasher: a missing file, a folder and a pipe are named") {
    const TestingFolder folder;
    const auto kind = ErrorKind::kIo;
    const auto refused = [&](const std::filesystem::path& path) {
      return refusal_of([&] { hash_file(path, Algorithm::kSha256); }, kind);
    };
    CHECK(contains(refused(folder.path / "none"), "none: cannot open: No such file"));
    CHECK(contains(refused(folder.path), "expected a regular file"));
    REQUIRE(::mkfifo((folder.path / "pipe").c_str(), 0600) == 0);
    CHECK(contains(refused(folder.path / "pipe"), "expected a regular file"));
  }

#ifdef __linux__
  TEST_CASE("hasher: a file that is hashed was not read for anybody") {
    const TestingFolder folder;
    const auto file = folder.write("weights", "xyz");
    const timespec times[2] = {{.tv_sec = 1'000'000'000}, {.tv_sec = 1'100'000'000}};
    REQUIRE(::utimensat(AT_FDCWD, file.c_str(), times, 0) == 0);
    hash_file(file, Algorithm::kSha256);
    struct stat status{};
    REQUIRE(::stat(file.c_str(), &status) == 0);
    CHECK(status.st_atim.tv_sec == times[0].tv_sec);
  }
#endif

  TEST_CASE("hasher: progress may end it") {
    const TestingFolder folder;
    const auto file = folder.write("weights", std::string(20 << 20, 'x'));
    const std::string ended = refusal_of([&] {
      hash_file(file, Algorithm::kSha256,
                [](uint64_t) { toolkit::fail(ErrorKind::kUserInput, "stopped"); });
    });
    CHECK(ended == "stopped");
  }
}
