#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iostream>

#include "core/base/json.h"
#include "core/base/testing.h"
#include "core/checkpoint/ggml_blocks.h"
#include "core/checkpoint/ggml_types.h"
#include "core/checkpoint/gguf_builder.h"
#include "core/checkpoint/gguf_tensor.h"
#include "core/checkpoint/half.h"
#include "core/checkpoint/input_file.h"
#include "mlx/mlx.h"

namespace toolkit::checkpoint {

namespace {

namespace fs = std::filesystem;
using testing::TestingFolder;

fs::path sample_model() {
  for (const auto& entry :
       fs::recursive_directory_iterator(fs::path(TOOLKIT_SOURCE_DIR) / ".venv/lib"))
    if (entry.path().extension() == ".gguf") return entry.path();
  return {};
}

bool same(const mx::array& a, const mx::array& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() && mx::array_equal(a, b).item<bool>();
}

/// Compares what we load with what mx::load_gguf does, tensor by tensor.
void compare_with_mlx(const fs::path& path) {
  const auto expected = mx::load_gguf(path.string()).first;
  size_t compared = 0;
  for (const GgufTensor& tensor : read_gguf_header(path).tensors) {
    CAPTURE(tensor.name);
    const tensor::Weight weight = load_gguf_tensor(path, tensor);
    CHECK(same(weight.data, expected.at(tensor.name)));
    ++compared;
    if (!weight.quantized()) continue;
    const std::string stem = tensor.name.substr(0, tensor.name.rfind('.'));
    CHECK(same(*weight.scales, expected.at(stem + ".scales")));
    CHECK(same(*weight.biases, expected.at(stem + ".biases")));
    CHECK(weight.group_size == 32);
    compared += 2;
  }
  CHECK(compared == expected.size());
}

/// Bytes that look random but give finite f16 where a block keeps its scales.
std::vector<uint8_t> pattern(size_t count, uint32_t seed, size_t block_bytes, size_t halves) {
  std::vector<uint8_t> bytes(count);
  for (size_t i = 0; i < count; ++i) {
    seed = seed * 1664525u + 1013904223u;
    bytes[i] = static_cast<uint8_t>(seed >> 24);
    const size_t within = i % block_bytes;
    if (within < 2 * halves && within % 2 == 1)
      bytes[i] = static_cast<uint8_t>((bytes[i] & 0x83) | 0x20);
  }
  return bytes;
}

std::vector<uint8_t> bytes_of(const std::string& hex) {
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return bytes;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("f16 conversions agree with MLX's for every half and for rounding cases") {
    for (uint32_t bits = 0; bits < 65536; ++bits) {
      const auto half = static_cast<uint16_t>(bits);
      const float value = float_from_half(half);
      const bool nan = (half & 0x7C00) == 0x7C00 && (half & 0x3FF) != 0;
      CHECK(
          (nan ? value != value : static_cast<float>(std::bit_cast<mx::float16_t>(half)) == value));
      if (!nan) CHECK(half_from_float(value) == half);
    }
    uint32_t bits = 12345;
    for (int i = 0; i < 200000; ++i) {
      bits = bits * 1664525u + 1013904223u;
      const uint32_t narrowed = (bits & 0x8FFFFFFFu) | 0x30000000u;  // exponents near f16's range
      const float value = std::bit_cast<float>(narrowed);
      REQUIRE(half_from_float(value) == std::bit_cast<uint16_t>(mx::float16_t(value)));
    }
    for (const float value :
         {65504.0f, 65519.9f, 65520.0f, 1e30f, 0.0f, -0.0f, 6e-8f, 2.9e-8f, 6.1e-5f})
      CHECK(half_from_float(value) == std::bit_cast<uint16_t>(mx::float16_t(value)));
  }

  TEST_CASE("Q4_0, Q4_1, Q8_0, F16 and F32 come out as mx::load_gguf has them: made file") {
    const TestingFolder folder;
    GgufBuilder file;
    // 96 x 5: 15 blocks each; offsets are multiples of 32.
    file.preamble(5, 0).tensor("a.weight", {96, 5}, 2, 0).tensor("b.weight", {96, 5}, 3, 288);
    file.tensor("c.weight", {96, 5}, 8, 608)
        .tensor("d.weight", {7}, 1, 1120)
        .tensor("e.weight", {3, 2}, 0, 1152)
        .pad();
    const auto add = [&](const std::vector<uint8_t>& bytes) {
      file.raw({bytes.begin(), bytes.end()}).pad();
    };
    add(pattern(15 * 18, 1, 18, 1));
    add(pattern(15 * 20, 2, 20, 2));
    add(pattern(15 * 34, 3, 34, 1));
    add(pattern(14, 4, 2, 1));
    add(pattern(24, 5, 2, 1));
    compare_with_mlx(folder.write("made.gguf", file.bytes()));
  }

  TEST_CASE("a type that cannot be read is named") {
    const TestingFolder folder;
    GgufBuilder file;
    file.preamble(1, 0).tensor("a.weight", {256, 2}, 16, 0).pad().zeros(132);
    const auto path = folder.write("iq.gguf", file.bytes());
    try {
      load_gguf_tensor(path, read_gguf_header(path).tensors[0]);
      FAIL("no error");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kUnsupported);
      CHECK(std::string(error.what()).find("'a.weight' has type IQ2_XXS (number 16)") !=
            std::string::npos);
    }
  }

  TEST_CASE("infinite scales and a file that shrank are errors") {
    const TestingFolder folder;
    GgufBuilder file;
    file.preamble(1, 0).tensor("a.weight", {32}, 8, 0).pad().number<uint16_t>(0x7C00).zeros(32);
    const auto path = folder.write("infinite.gguf", file.bytes());
    const GgufTensor tensor = read_gguf_header(path).tensors[0];
    CHECK_THROWS_WITH_AS(load_gguf_tensor(path, tensor), doctest::Contains("infinite"), Error);
    fs::resize_file(path, fs::file_size(path) - 1);
    CHECK_THROWS_WITH_AS(load_gguf_tensor(path, tensor), doctest::Contains("the file ends after"),
                         Error);
  }
}

TEST_SUITE("reference") {
  TEST_CASE("blocks of every other type have the values that the gguf package gives them") {
    const fs::path fixture = fs::path(TOOLKIT_FIXTURES) / "checkpoint/ggml_blocks.json";
    const Json types = Json::parse(read_text(fixture, 1 << 24)).at("types");
    CHECK(types.size() == 10);
    for (const auto& [name, blocks] : types.items()) {
      CAPTURE(name);
      const auto type = blocks.at("type").get<uint32_t>();
      CHECK(ggml_type_name(type) == name);
      REQUIRE(has_half_form(type));
      const auto values = blocks.at("values").get<std::vector<float>>();
      std::vector<uint16_t> read(values.size());
      const auto bytes = bytes_of(blocks.at("bytes"));
      REQUIRE(blocks_to_half(type, bytes.data(), bytes.size() / find_ggml_type(type)->block_bytes,
                             read.data()));
      for (size_t i = 0; i < values.size(); ++i) REQUIRE(read[i] == half_from_float(values[i]));
    }
  }

  TEST_CASE("every tensor of SmolLM2 comes out as mx::load_gguf has it") {
    const auto path = sample_model();
    if (path.empty()) {
      std::cout << "SKIPPED: the sample model is not installed (make setup)\n";
      return;
    }
    compare_with_mlx(path);
  }
}

}  // namespace toolkit::checkpoint
