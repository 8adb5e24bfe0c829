#include "core/checkpoint/safetensors.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <iostream>

#include "core/base/atomic_file.h"
#include "core/base/testing.h"
#include "mlx/mlx.h"

namespace toolkit::checkpoint {

namespace {

namespace fs = std::filesystem;
using testing::TestingFolder;

bool same(const mx::array& a, const mx::array& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() && mx::array_equal(a, b).item<bool>();
}

/// One tensor of every type, with shapes that are awkward, and one that is not contiguous.
std::map<std::string, mx::array> assortment() {
  const mx::array base = mx::reshape(mx::arange(0, 24, mx::float32), {2, 3, 4});
  std::map<std::string, mx::array> tensors;
  tensors.emplace("f32", base);
  tensors.emplace("transposed", mx::transpose(base, {2, 0, 1}));
  tensors.emplace("scalar", mx::array(3.5f));
  tensors.emplace("empty", mx::zeros({0, 5}, mx::float16));
  const std::pair<const char*, mx::Dtype> kinds[] = {
      {"f16", mx::float16}, {"bf16", mx::bfloat16}, {"u8", mx::uint8},   {"i8", mx::int8},
      {"u16", mx::uint16},  {"i16", mx::int16},     {"u32", mx::uint32}, {"i32", mx::int32},
      {"u64", mx::uint64},  {"i64", mx::int64},     {"bool", mx::bool_}, {"c64", mx::complex64}};
  for (const auto& [name, dtype] : kinds) tensors.emplace(name, mx::astype(base, dtype));
  return tensors;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("what is written is read again, by us and by MLX") {
    const TestingFolder folder;
    const auto path = folder.path / "all.safetensors";
    const auto tensors = assortment();
    save_safetensors(path, tensors, {{"format", "mlx"}, {"quote \"", "line\n\u00e9"}});
    CHECK(read_safetensors_header(path).metadata.at("quote \"") == "line\n\u00e9");
    const auto ours = load_safetensors(path);
    const auto theirs = mx::load_safetensors(path.string()).first;
    CHECK(ours.size() == tensors.size());
    CHECK(theirs.size() == tensors.size());
    for (const auto& [name, tensor] : tensors) {
      CAPTURE(name);
      CHECK(same(ours.at(name), tensor));
      CHECK(same(theirs.at(name), tensor));
    }
    const auto some = load_safetensors(path, [](const std::string& name) { return name == "f16"; });
    CHECK(some.size() == 1);
    for (const auto& [name, entry] : read_safetensors_header(path).tensors)
      CHECK(entry.begin % tensors.at(name).itemsize() == 0);
    save_safetensors(path, {});
    CHECK(load_safetensors(path).empty());
  }

  TEST_CASE("files of the reference implementation are read") {
    const fs::path fixtures = fs::path(TOOLKIT_FIXTURES) / "models";
    size_t files = 0;
    for (const auto& entry : fs::recursive_directory_iterator(fixtures)) {
      if (entry.path().extension() != ".safetensors") continue;
      ++files;
      CAPTURE(entry.path().string());
      const auto ours = load_safetensors(entry.path());
      const auto theirs = mx::load_safetensors(entry.path().string()).first;
      CHECK(ours.size() == theirs.size());
      for (const auto& [name, tensor] : ours) CHECK(same(tensor, theirs.at(name)));
    }
    CHECK(files > 0);
  }

  TEST_CASE("a dtype MLX has not, a file that shrank, a folder: errors") {
    const TestingFolder folder;
    const auto path = folder.path / "f8.safetensors";
    const std::string header = R"({"a":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}})";
    const uint64_t size = header.size();
    write_file_atomically(path,
                          std::string(reinterpret_cast<const char*>(&size), 8) + header + "abcd");
    CHECK_THROWS_WITH_AS(load_safetensors(path), doctest::Contains("F8_E4M3"), Error);
    save_safetensors(path, {{"x", mx::ones({100})}});
    const SafetensorsEntry entry = read_safetensors_header(path).tensors.at("x");
    fs::resize_file(path, fs::file_size(path) - 1);
    CHECK_THROWS_WITH_AS(load_safetensors_tensor(path, "x", entry),
                         doctest::Contains("the file ends after"), Error);
    CHECK_THROWS_WITH_AS(load_safetensors(path), doctest::Contains("cut short"), Error);
    CHECK_THROWS_AS(load_safetensors(folder.path), Error);
    CHECK_THROWS_AS(save_safetensors(folder.path / "absent" / "x.safetensors", {}), Error);
  }
}

TEST_SUITE("reference") {
  TEST_CASE("the real safetensors package reads what we write") {
    const char* python = std::getenv("TOOLKIT_PEERS_PYTHON");
    if (python == nullptr) {
      std::cout << "SKIPPED: set TOOLKIT_PEERS_PYTHON to a Python with safetensors and numpy\n";
      return;
    }
    const TestingFolder folder;
    save_safetensors(folder.path / "all.safetensors", assortment(), {{"format", "mlx"}});
    const std::string command = std::string("'") + python + "' '" + TOOLKIT_SOURCE_DIR +
                                "/scripts/reference/safetensors_reads.py' '" +
                                (folder.path / "all.safetensors").string() + "'";
    CHECK(std::system(command.c_str()) == 0);
  }
}

}  // namespace toolkit::checkpoint
