#include <doctest/doctest.h>

#include <cstring>

#include "core/base/testing.h"
#include "core/checkpoint/safetensors.h"

namespace toolkit::checkpoint {

namespace {

using testing::contains;

std::vector<uint8_t> file_of(const std::string& header, size_t data_bytes) {
  std::vector<uint8_t> bytes(8 + header.size() + data_bytes);
  const uint64_t size = header.size();
  std::memcpy(bytes.data(), &size, 8);
  std::memcpy(bytes.data() + 8, header.data(), header.size());
  return bytes;
}

std::string refusal_of(const std::vector<uint8_t>& bytes) {
  const std::string message = testing::refusal_of(
      [&] { parse_safetensors_header(bytes, bytes.size(), "made.safetensors"); });
  if (!message.empty()) CHECK(message.find("made.safetensors") == 0);
  return message;
}

std::string refusal(const std::string& header, size_t data_bytes = 0) {
  return refusal_of(file_of(header, data_bytes));
}

std::string tensor(const std::string& shape, const std::string& offsets,
                   const std::string& dtype = "F32") {
  return R"({"a":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets +
         "}}";
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a good header is read, whatever the order of its members") {
    const std::string text =
        R"({"__metadata__":{"format":"pt"},"b":{"data_offsets":[16,20],"shape":[2,1],"dtype":"BF16"},)"
        R"("a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"s":{"dtype":"U8","shape":[],"data_offsets":[20,21]},)"
        R"("empty":{"dtype":"F32","shape":[0,5],"data_offsets":[0,0]}}   )";
    const auto bytes = file_of(text, 21);
    const SafetensorsHeader header = parse_safetensors_header(bytes, bytes.size(), "made");
    CHECK(header.metadata.at("format") == "pt");
    CHECK(header.tensors.size() == 4);
    CHECK(header.tensors.at("a").begin == 8 + text.size());
    CHECK(header.tensors.at("b").shape == std::vector<int64_t>{2, 1});
    CHECK(header.tensors.at("b").end == 8 + text.size() + 20);
    CHECK(header.tensors.at("s").shape.empty());
    CHECK(refusal("{}").empty());
    CHECK(refusal(R"({"__metadata__":null})").empty());
  }

  TEST_CASE("the length at the start") {
    CHECK(contains(refusal_of({}), "at least 8 bytes, found 0"));
    CHECK(contains(refusal_of({1, 2, 3, 4}), "found 4"));
    CHECK(contains(refusal_of({255, 255, 255, 255, 255, 255, 255, 255}), "at most 100000000"));
    CHECK(contains(refusal_of({100, 0, 0, 0, 0, 0, 0, 0, '{', '}'}), "the file has 2 left"));
    CHECK(contains(refusal_of({0, 0, 0, 0, 0, 0, 0, 0}), "begin with {"));
    CHECK(contains(refusal("[]"), "begin with {"));
    CHECK(contains(refusal(" {}"), "begin with {"));
    const auto bytes = file_of("{}", 0);
    CHECK_THROWS_AS(parse_safetensors_header({bytes.data(), 8}, bytes.size(), "made"), Error);
  }

  TEST_CASE("the JSON: grammar, kinds of values, duplicates, depth, encoding") {
    CHECK(contains(refusal("{{{{"), "expected the header's JSON"));
    CHECK(contains(refusal("{} x"), "expected the header's JSON"));
    CHECK(contains(refusal("{\"\xff\":1}"), "expected the header's JSON"));
    CHECK(contains(refusal(R"({"a":1})"), "expected an object as the value of 'a', found 1"));
    CHECK(contains(refusal(R"({"a":[]})"), "found an array"));
    CHECK(contains(refusal(R"({"a":{"dtype":{}}})"), "found an object"));
    CHECK(contains(refusal(tensor("[2]", "[0,8]", "Q9"), 8), "the dtype 'Q9'"));
    CHECK(contains(refusal(tensor("[2.5]", "[0,8]"), 8), "found 2.5"));
    CHECK(contains(refusal(tensor("[2]", "[0,8.0]"), 8), "found 8.0"));
    CHECK(contains(refusal(tensor("[2]", "[0,1e1]"), 10), "found 1e1"));
    CHECK(contains(refusal(tensor("[-2,-2]", "[0,16]"), 16), "found -2"));
    CHECK(contains(refusal(tensor("[4]", "[-64,-48]"), 16), "found -64"));
    CHECK(contains(refusal(tensor("[99999999999999999999]", "[0,8]"), 8),
                   "found 99999999999999999999"));
    CHECK(contains(refusal(tensor("[[2]]", "[0,8]"), 8), "found an array"));
    CHECK(contains(refusal(tensor("[\"2\"]", "[0,8]"), 8), "found '2'"));
    CHECK(contains(refusal(tensor("[true]", "[0,8]"), 8), "found true"));
    CHECK(contains(refusal(tensor("null", "[0,8]"), 8), "found null"));
    CHECK(contains(refusal(tensor("[2]", "[0,8,8]"), 8), "third offset"));
    CHECK(contains(refusal(tensor("[2]", "[0]"), 8), "found less"));
    CHECK(contains(refusal(tensor("2", "[0,8]"), 8), "found 2"));
    CHECK(contains(refusal(R"({"a":{"dtype":"F32","shape":[2]}})", 8), "found less"));
    CHECK(contains(refusal(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}})", 8),
                   "found 'x'"));
    CHECK(contains(refusal(R"({"a":{"shape":[2],"shape":[2]}})", 8),
                   "'shape' stands in the header twice"));
    CHECK(contains(refusal(R"({"__metadata__":{"x":1}})"), "expected a text as 'x'"));
    CHECK(contains(refusal(R"({"__metadata__":{"x":["y"]}})"), "found an array"));
    CHECK(contains(refusal(R"({"__metadata__":[]})"), "found an array"));
    CHECK(contains(refusal(R"({"__metadata__":{"x":"1","x":"2"}})"),
                   "'x' stands in the header twice"));
    CHECK(contains(refusal(R"({"__metadata__":{},"__metadata__":{}})"), "twice"));
    const std::string one = R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
    CHECK(
        contains(refusal("{" + one + "," + one + "}", 1), "tensor 'a' stands in the header twice"));
    CHECK_FALSE(
        refusal(R"({"a":)" + std::string(200000, '[') + std::string(200000, ']') + "}").empty());
    CHECK_FALSE(refusal(R"({"a":)" + std::string(200000, '{')).empty());
  }

  TEST_CASE("places: holes, overlap, trailing bytes, sizes that do not fit, overflow") {
    CHECK(refusal(tensor("[2]", "[0,8]"), 8).empty());
    CHECK(contains(refusal(tensor("[2]", "[0,8]"), 9),
                   "expected 8 bytes of data by the header, the file has 9"));
    CHECK(contains(refusal(tensor("[2]", "[0,8]"), 7), "cut short"));
    CHECK(contains(refusal(tensor("[2]", "[8,16]"), 16), "begin at byte 0"));
    CHECK(contains(refusal(tensor("[2]", "[8,0]"), 8), "begin at byte 0"));
    CHECK(contains(refusal(tensor("[0]", "[0,0]"), 1), "expected 0 bytes of data"));
    CHECK(contains(refusal(tensor("[3]", "[0,8]"), 8), "expected 12 bytes for tensor 'a'"));
    CHECK(contains(refusal(tensor("[4294967298]", "[0,8]"), 8), "found 4294967298"));
    CHECK(contains(refusal(tensor("[8589934592,8589934592]", "[0,0]")), "found 8589934592"));
    CHECK(contains(refusal(tensor("[2147483647,2147483647,2147483647]", "[0,0]")),
                   "more than 2^64 bits"));
    CHECK(contains(refusal(tensor("[2]", "[0,18446744073709551615]"), 8), "expected 8 bytes"));
    CHECK(contains(refusal(tensor("[3]", "[0,2]", "F4"), 2), "whole byte"));
    CHECK(refusal(tensor("[4]", "[0,2]", "F4"), 2).empty());
    const auto two = [](const std::string& second) {
      return R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[8],"data_offsets":)" +
             second + "}}";
    };
    CHECK(refusal(two("[8,16]"), 16).empty());
    CHECK(contains(refusal(two("[4,12]"), 16), "'b' to begin at byte 8"));
    CHECK(contains(refusal(two("[9,17]"), 17), "'b' to begin at byte 8"));
    CHECK(contains(refusal(two("[0,8]"), 8), "to begin at byte 8"));
  }

  TEST_CASE("every cut of a good file is an error, never a crash") {
    const auto bytes = file_of(tensor("[2]", "[0,8]"), 8);
    for (size_t length = 0; length < bytes.size(); ++length)
      CHECK_FALSE(
          refusal_of({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length)}).empty());
  }
}

}  // namespace toolkit::checkpoint
