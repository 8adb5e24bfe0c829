#include <doctest/doctest.h>

#include "core/base/testing.h"
#include "core/checkpoint/gguf_builder.h"
#include "core/checkpoint/gguf_header.h"

namespace toolkit::checkpoint {

namespace {

using testing::contains;

GgufHeader parse(const GgufBuilder& file) {
  return parse_gguf_header(file.bytes(), file.bytes().size(), "made.gguf");
}

/// The message of the error that parsing gives; empty if there is none.
std::string refusal(const GgufBuilder& file, ErrorKind kind = ErrorKind::kUserInput) {
  const std::string message = testing::refusal_of([&] { parse(file); }, kind);
  if (!message.empty()) CHECK(message.find("made.gguf") == 0);
  return message;
}

GgufBuilder one_tensor(const std::vector<uint64_t>& dimensions, uint32_t type, uint64_t offset,
                       size_t data) {
  GgufBuilder file;
  file.preamble(1, 0).tensor("a", dimensions, type, offset).pad().zeros(data);
  return file;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a good header is read with its values, and shapes in row-major order") {
    GgufBuilder file;
    file.preamble(2, 6).key_text("general.architecture", "llama").key_u32("llama.block_count", 30);
    file.key_f32("llama.rope.freq_base", 1e5f);
    file.text("list").number<uint32_t>(9).number<uint32_t>(8).number<uint64_t>(2).text("one").text(
        "two");
    file.text("flags")
        .number<uint32_t>(9)
        .number<uint32_t>(7)
        .number<uint64_t>(2)
        .number<uint8_t>(1)
        .number<uint8_t>(0);
    file.text("negative").number<uint32_t>(5).number<int32_t>(-7);
    file.tensor("big", {64, 3}, 8, 32).tensor("small", {2}, 0, 0).pad();
    const size_t data = file.bytes().size();
    file.zeros(32 + 3 * 2 * 34);
    const GgufHeader header = parse(file);
    CHECK(header.version == 3);
    CHECK(header.text("general.architecture") == "llama");
    CHECK(header.integer("llama.block_count") == 30);
    CHECK(header.integer("negative") == -7);
    CHECK(header.number("llama.rope.freq_base") == doctest::Approx(1e5));
    CHECK(header.number("llama.block_count") == 30.0);
    REQUIRE(header.texts("list"));
    CHECK(*header.texts("list") == std::vector<std::string>{"one", "two"});
    CHECK(std::get<std::vector<int64_t>>(header.metadata.at("flags")) ==
          std::vector<int64_t>{1, 0});
    CHECK_FALSE(header.text("llama.block_count"));
    CHECK_FALSE(header.integer("absent"));
    REQUIRE(header.tensors.size() == 2);
    CHECK(header.tensors[0].shape == std::vector<int64_t>{3, 64});
    CHECK(header.tensors[0].begin == data + 32);
    CHECK(header.tensors[0].size_bytes == 3 * 2 * 34);
    CHECK(header.tensors[1].begin == data);
  }

  TEST_CASE("the start of the file: magic, version, byte order, counts") {
    CHECK(contains(refusal(GgufBuilder()), "the file has 0 bytes left"));
    CHECK(contains(refusal(GgufBuilder().raw("GG")), "the file has 2 bytes left"));
    CHECK(contains(refusal(GgufBuilder().raw("PK\3\4").zeros(64)),
                   "expected the letters GGUF, found 'PK\\x03\\x04'"));
    CHECK(contains(refusal(GgufBuilder().preamble(0, 0, 1), ErrorKind::kUnsupported), "found 1"));
    CHECK(contains(refusal(GgufBuilder().preamble(0, 0, 99), ErrorKind::kUnsupported), "found 99"));
    CHECK(contains(refusal(GgufBuilder().preamble(0, 0, 0x03000000), ErrorKind::kUnsupported),
                   "big-endian"));
    CHECK(refusal(GgufBuilder().preamble(0, 0, 2)).empty());
    CHECK(contains(refusal(GgufBuilder().preamble(uint64_t{1} << 62, 0)),
                   "found 4611686018427387904"));
    CHECK(contains(refusal(GgufBuilder().preamble(0, uint64_t{1} << 62)),
                   "found 4611686018427387904"));
    CHECK(contains(refusal(GgufBuilder().preamble(0, 1)), "expected the number of metadata keys"));
  }

  TEST_CASE("metadata: lengths, types, arrays, duplicates, encodings") {
    const auto one = [](const GgufBuilder& key) {
      GgufBuilder file;
      file.preamble(0, 1).raw({key.bytes().begin(), key.bytes().end()});
      return file.zeros(16);
    };
    CHECK(contains(refusal(one(GgufBuilder().number<uint64_t>(uint64_t{1} << 62))),
                   "found a length of"));
    CHECK(contains(refusal(one(GgufBuilder().text("k").number<uint32_t>(8).number<uint64_t>(
                       uint64_t{1} << 62))),
                   "found a length of"));
    CHECK(contains(refusal(one(GgufBuilder().text("k").number<uint32_t>(8).number<uint64_t>(60))),
                   "bytes left"));
    CHECK(contains(refusal(one(GgufBuilder().text("k").number<uint32_t>(13))), "found 13"));
    CHECK(contains(refusal(one(GgufBuilder().text("").number<uint32_t>(4))), "metadata key"));
    CHECK(contains(refusal(one(GgufBuilder().text("\xff\xfe").number<uint32_t>(4))), "\\xff\\xfe"));
    CHECK(contains(refusal(one(GgufBuilder().text("k").number<uint32_t>(7).number<uint8_t>(9))),
                   "truth value"));
    CHECK(contains(refusal(one(GgufBuilder().key_text("k", "\xc3"))), "not UTF-8"));
    const auto array = [&](uint32_t type, uint64_t length) {
      return one(
          GgufBuilder().text("k").number<uint32_t>(9).number<uint32_t>(type).number<uint64_t>(
              length));
    };
    CHECK(contains(refusal(array(9, 1), ErrorKind::kUnsupported), "array of arrays"));
    CHECK(contains(refusal(array(77, 1)), "found 77"));
    CHECK(contains(refusal(array(4, uint64_t{1} << 62)), "the length of an array"));
    CHECK(contains(refusal(array(8, 3)), "the length of an array"));
    CHECK(refusal(array(4, 4)).empty());
    GgufBuilder twice;
    twice.preamble(0, 2).key_u32("k", 1).key_u32("k", 1);
    CHECK(contains(refusal(twice), "stands there twice"));
  }

  TEST_CASE("alignment must be a power of two, and of the right kind") {
    for (const uint32_t bad : {0u, 3u, 48u, 1u << 30})
      CHECK(contains(refusal(GgufBuilder().preamble(0, 1).key_u32("general.alignment", bad)),
                     "power of two"));
    CHECK(contains(refusal(GgufBuilder().preamble(0, 1).key_text("general.alignment", "32")),
                   "another kind"));
    GgufBuilder file;
    file.preamble(1, 1).key_u32("general.alignment", 64).tensor("a", {4}, 0, 0).pad(64);
    const size_t data = file.bytes().size();
    CHECK(parse(file.zeros(16)).tensors[0].begin == data);
  }

  TEST_CASE("tensors: dimensions, types, names") {
    CHECK(refusal(one_tensor({4, 2}, 0, 0, 32)).empty());
    CHECK(contains(refusal(one_tensor({}, 0, 0, 32)), "expected 1 to 4 dimensions"));
    CHECK(contains(refusal(one_tensor({1, 1, 1, 1, 1}, 0, 0, 32)), "found 5"));
    GgufBuilder many;
    many.preamble(1, 0).text("a").number<uint32_t>(0xFFFFFFFFu).zeros(64);
    CHECK(contains(refusal(many), "found 4294967295"));
    CHECK(contains(refusal(one_tensor({0}, 0, 0, 32)), "found 0"));
    CHECK(contains(refusal(one_tensor({4294967298}, 0, 0, 32)), "found 4294967298"));
    CHECK(contains(refusal(one_tensor({~uint64_t{0}}, 0, 0, 32)), "found 18446744073709551615"));
    CHECK(contains(refusal(one_tensor({2147483647, 2147483647, 2147483647, 2147483647}, 0, 0, 32)),
                   "more bytes than the file has"));
    CHECK(contains(refusal(one_tensor({16}, 8, 0, 64)), "multiple of 32"));
    CHECK(contains(refusal(one_tensor({32}, 250, 0, 64), ErrorKind::kUnsupported),
                   "type number 250"));
    GgufBuilder long_name;
    long_name.preamble(1, 0).tensor(std::string(1 << 20, 'x'), {4}, 0, 0).pad().zeros(16);
    CHECK(contains(refusal(long_name), "at most 64 bytes"));
    GgufBuilder zero_in_name;
    zero_in_name.preamble(1, 0).tensor(std::string("a\0b", 3), {4}, 0, 0).pad().zeros(16);
    CHECK(contains(refusal(zero_in_name), "a\\x00b"));
    GgufBuilder twice;
    twice.preamble(2, 0).tensor("a", {4}, 0, 0).tensor("a", {4}, 0, 32).pad().zeros(64);
    CHECK(contains(refusal(twice), "'a' stands there twice"));
  }

  TEST_CASE("tensors: place in the file") {
    CHECK(contains(refusal(one_tensor({4}, 0, 8, 64)), "at a multiple of 32"));
    CHECK(contains(refusal(one_tensor({8}, 0, 0, 31)), "cut short"));
    CHECK(refusal(one_tensor({8}, 0, 0, 32)).empty());
    CHECK(contains(refusal(one_tensor({8}, 0, ~uint64_t{0} - 31, 64)), "cut short"));
    CHECK(contains(refusal(one_tensor({8}, 0, uint64_t{1} << 40, 64)), "cut short"));
    GgufBuilder overlap;
    overlap.preamble(2, 0).tensor("a", {16}, 0, 0).tensor("b", {8}, 0, 32).pad().zeros(64);
    CHECK(contains(refusal(overlap), "'a' and 'b' overlap"));
  }

  TEST_CASE("every cut of a good file is an error, never a crash") {
    GgufBuilder file;
    file.preamble(1, 2).key_text("general.architecture", "llama");
    file.text("list").number<uint32_t>(9).number<uint32_t>(8).number<uint64_t>(2).text("one").text(
        "two");
    file.tensor("a", {32, 2}, 3, 0);
    const size_t header_bytes = file.bytes().size();
    file.pad().zeros(40);
    REQUIRE(refusal(file).empty());
    for (size_t length = 0; length < file.bytes().size(); ++length) {
      const std::span<const uint8_t> cut(file.bytes().data(), length);
      CHECK_THROWS_AS(parse_gguf_header(cut, length, "made.gguf"), Error);
      if (length < header_bytes)
        CHECK_THROWS_AS(parse_gguf_header(cut, uint64_t{1} << 60, "made.gguf"), Error);
    }
  }

  TEST_CASE("a header longer than the first read is read whole - what is no file is refused") {
    const testing::TestingFolder folder;
    GgufBuilder file;
    file.preamble(0, 100);
    for (int i = 0; i < 100; ++i)
      file.key_text("key" + std::to_string(i), std::string(100000, 'x'));
    CHECK(read_gguf_header(folder.write("long.gguf", file.bytes())).metadata.size() == 100);
    CHECK_THROWS_AS(read_gguf_header(folder.write("empty.gguf", "")), Error);
    CHECK_THROWS_AS(read_gguf_header(folder.path), Error);
    CHECK_THROWS_AS(read_gguf_header("/dev/zero"), Error);
    CHECK_THROWS_AS(read_gguf_header(folder.path / "absent.gguf"), Error);
  }
}

}  // namespace toolkit::checkpoint
