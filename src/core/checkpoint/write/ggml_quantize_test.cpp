#include "core/checkpoint/write/ggml_quantize.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "core/base/json.h"
#include "core/checkpoint/ggml_types.h"
#include "core/checkpoint/input_file.h"
#include "core/checkpoint/write/gguf_tensors.h"
#include "mlx/mlx.h"

namespace toolkit::checkpoint {

namespace {

std::vector<uint8_t> bytes_of(const std::string& hexadecimal) {
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i < hexadecimal.size(); i += 2)
    bytes.push_back(static_cast<uint8_t>(std::stoi(hexadecimal.substr(i, 2), nullptr, 16)));
  return bytes;
}

}  // namespace

TEST_SUITE("reference") {
  TEST_CASE("blocks are those of the gguf package - byte for byte") {
    const std::string path = std::string(TOOLKIT_FIXTURES) + "/checkpoint/ggml_quantize.json";
    const Json fixture = Json::parse(read_text(path, 1 << 20));
    const std::vector<uint8_t> raw = bytes_of(fixture.at("values"));
    std::vector<float> values(raw.size() / 4);
    std::memcpy(values.data(), raw.data(), raw.size());
    REQUIRE(values.size() % 32 == 0);
    for (const char* name : {"Q8_0", "Q4_0", "Q4_1"}) {
      CAPTURE(name);
      const auto type = fixture.at(name).at("type").get<uint32_t>();
      const std::vector<uint8_t> expected = bytes_of(fixture.at(name).at("bytes"));
      std::vector<uint8_t> blocks(expected.size());
      CHECK(quantize_blocks(type, values.data(), values.size() / 32, blocks.data()));
      CHECK(blocks == expected);
      // In memory as packed groups of 32, and the same bytes again when they are written.
      const mx::array array(values.data(), {static_cast<int>(values.size() / 32), 32});
      const tensor::Weight packed = quantized_by_ggml(array, type, "x");
      CHECK(gguf_bytes(packed, type) == expected);
    }
  }
}

TEST_SUITE("unit") {
  TEST_CASE("values that no block can hold are refused") {
    std::vector<float> values(32, 1.0f);
    std::vector<uint8_t> block(34);
    CHECK(quantize_blocks(kGgmlQ8_0, values.data(), 1, block.data()));
    values[7] = std::numeric_limits<float>::infinity();
    CHECK_FALSE(quantize_blocks(kGgmlQ8_0, values.data(), 1, block.data()));
    values[7] = std::nanf("");
    CHECK_FALSE(quantize_blocks(kGgmlQ4_1, values.data(), 1, block.data()));
    values[7] = 1e9f;  // its scale is beyond f16
    CHECK_FALSE(quantize_blocks(kGgmlQ4_0, values.data(), 1, block.data()));
  }

  TEST_CASE("a scale too small to divide by makes zeros") {
    std::vector<float> values(32, 1e-42f);
    std::vector<uint8_t> block(34, 0xFF);
    CHECK(quantize_blocks(kGgmlQ8_0, values.data(), 1, block.data()));
    for (int j = 2; j < 34; ++j) CHECK(block[static_cast<size_t>(j)] == 0);
  }

  TEST_CASE("packed groups are told by the block type that holds them") {
    const mx::array values = mx::random::normal({4, 128});
    for (const uint32_t type : {kGgmlQ8_0, kGgmlQ4_0, kGgmlQ4_1})
      CHECK(exact_block_type(quantized_by_ggml(values, type, "x")) == type);
    const auto mlx = [&](int group_size, int bits) {
      const auto parts = mx::quantize(mx::astype(values, mx::float16), group_size, bits);
      return tensor::Weight{parts[0], parts[1], parts[2], group_size, bits};
    };
    const tensor::Weight four = mlx(64, 4);
    REQUIRE(exact_block_type(four) == kGgmlQ4_1);  // one group becomes two blocks
    const std::vector<uint8_t> bytes = gguf_bytes(four, kGgmlQ4_1);
    CHECK(bytes.size() == 4 * 128 / 32 * 20);
    CHECK(std::memcmp(bytes.data(), bytes.data() + 20, 4) == 0);
    CHECK_FALSE(exact_block_type(mlx(64, 8)));  // Q8_0 has no bias of its own
    CHECK_FALSE(exact_block_type({.data = values}));
    tensor::Weight wide = four;
    wide.scales = mx::multiply(mx::astype(*four.scales, mx::float32), mx::array(1.0001f));
    CHECK_FALSE(exact_block_type(wide));  // no f16
  }
}

}  // namespace toolkit::checkpoint
