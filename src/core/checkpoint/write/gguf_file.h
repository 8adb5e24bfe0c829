#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace toolkit::checkpoint {

/// The metadata of a GGUF file that is being made, in the order it is added.
class GgufMetadata {
 public:
  void text(std::string_view key, std::string_view value);
  void u32(std::string_view key, uint32_t value);
  void f32(std::string_view key, float value);
  void flag(std::string_view key, bool value);
  void texts(std::string_view key, const std::vector<std::string>& values);
  void i32s(std::string_view key, const std::vector<int32_t>& values);
  void f32s(std::string_view key, const std::vector<float>& values);

  uint64_t count() const { return count_; }
  const std::string& bytes() const { return bytes_; }

 private:
  void key(std::string_view key, uint32_t type);
  void list(std::string_view key, uint32_t type, uint64_t count);
  std::string bytes_;
  uint64_t count_ = 0;
};

/// One tensor of a GGUF file that is being made.
struct GgufPlan {
  std::string name;
  uint32_t type = 0;
  std::vector<int64_t> shape;                     // row-major: (out, in)
  std::function<std::vector<uint8_t>()> content;  // called once, when its turn has come

  uint64_t size_bytes() const;
};

/// Writes GGUF version 3, alignment 32, tensor by tensor, atomically; the free space is checked
/// first. `progress` gets the bytes of tensors written. Throws Error(kIo | kInternal).
void save_gguf_file(const std::filesystem::path& path, const GgufMetadata& metadata,
                    const std::vector<GgufPlan>& tensors,
                    const std::function<void(uint64_t done, uint64_t total)>& progress = {});

}  // namespace toolkit::checkpoint
