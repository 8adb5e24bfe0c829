#include "core/model_store/weight_file.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace toolkit::model_store {

namespace fs = std::filesystem;

namespace {

constexpr std::array kWeightEndings = {".safetensors", ".gguf", ".bin",  ".pt",
                                       ".pth",         ".npz",  ".onnx", ".ckpt"};

}  // namespace

std::string ending_of(const fs::path& path) {
  std::string ending = path.extension().string();
  for (char& letter : ending)
    letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  return ending;
}

bool is_weight_file(const fs::path& path) {
  const std::string ending = ending_of(path);
  return std::find(kWeightEndings.begin(), kWeightEndings.end(), ending) != kWeightEndings.end();
}

}  // namespace toolkit::model_store
