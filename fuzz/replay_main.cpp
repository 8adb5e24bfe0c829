// Runs a fuzz target without a fuzzer: over every file of the corpus folders named as arguments,
// every cut of it and a fixed number of changed copies. So that each compiler and machine runs the
// same functions.
#include <algorithm>
#include <cstdio>
#include <iterator>
#include <vector>

#include "fuzz/target.h"

namespace {

namespace fs = std::filesystem;

std::vector<uint8_t> bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// One of several small faults: changed bytes, a cut, a piece that stands there twice.
std::vector<uint8_t> changed(std::vector<uint8_t> bytes, uint64_t& state) {
  const auto random = [&](size_t below) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<size_t>(state >> 33) % below;
  };
  if (bytes.empty()) return bytes;
  for (size_t i = random(4) + 1; i > 0; --i) {
    constexpr uint8_t kTelling[] = {0, 1, 0x7F, 0x80, 0xFF, '{', '"', '-', '9', '[', '\n', '%'};
    bytes[random(bytes.size())] =
        random(2) ? kTelling[random(std::size(kTelling))] : static_cast<uint8_t>(random(256));
  }
  if (random(4) == 0) bytes.resize(random(bytes.size()) + 1);
  if (random(4) == 0) {
    const size_t from = random(bytes.size()),
                 count = std::min<size_t>(random(32) + 1, bytes.size() - from);
    const std::vector<uint8_t> piece(bytes.begin() + static_cast<std::ptrdiff_t>(from),
                                     bytes.begin() + static_cast<std::ptrdiff_t>(from + count));
    bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(random(bytes.size())), piece.begin(),
                 piece.end());
  }
  return bytes;
}

}  // namespace

int main(int argc, char** argv) {
  constexpr size_t kCuts = 200, kChanges = 200;
  size_t files = 0, runs = 0;
  uint64_t state = 1;
  for (int i = 1; i < argc; ++i) {
    std::vector<fs::path> paths;
    for (const auto& entry : fs::directory_iterator(argv[i])) paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    for (const fs::path& path : paths) {
      const std::vector<uint8_t> bytes = bytes_of(path);
      ++files;
      LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
      const size_t step = std::max<size_t>(1, bytes.size() / kCuts);
      for (size_t length = 0; length < bytes.size(); length += step, ++runs)
        LLVMFuzzerTestOneInput(
            std::vector<uint8_t>(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length))
                .data(),
            length);
      for (size_t change = 0; change < kChanges; ++change, ++runs) {
        const auto other = changed(bytes, state);
        LLVMFuzzerTestOneInput(other.data(), other.size());
      }
    }
  }
  std::printf("%zu corpus files, %zu changed copies: no crash\n", files, runs);
  return files == 0 ? 1 : 0;
}
