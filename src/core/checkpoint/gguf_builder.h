#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace toolkit::checkpoint {

/// Makes GGUF files byte by byte for tests, right or wrong ones.
class GgufBuilder {
 public:
  template <class T>
  GgufBuilder& number(T value) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(&value);
    bytes_.insert(bytes_.end(), bytes, bytes + sizeof(T));
    return *this;
  }
  GgufBuilder& raw(const std::string& text) {
    bytes_.insert(bytes_.end(), text.begin(), text.end());
    return *this;
  }
  GgufBuilder& text(const std::string& text) { return number<uint64_t>(text.size()).raw(text); }
  GgufBuilder& preamble(uint64_t tensors, uint64_t keys, uint32_t version = 3) {
    return raw("GGUF").number<uint32_t>(version).number<uint64_t>(tensors).number<uint64_t>(keys);
  }
  GgufBuilder& key_text(const std::string& key, const std::string& value) {
    return text(key).number<uint32_t>(8).text(value);
  }
  GgufBuilder& key_u32(const std::string& key, uint32_t value) {
    return text(key).number<uint32_t>(4).number<uint32_t>(value);
  }
  GgufBuilder& key_f32(const std::string& key, float value) {
    return text(key).number<uint32_t>(6).number<float>(value);
  }
  /// `dimensions` in the file's order: fastest first.
  GgufBuilder& tensor(const std::string& name, const std::vector<uint64_t>& dimensions,
                      uint32_t type, uint64_t offset) {
    text(name).number<uint32_t>(static_cast<uint32_t>(dimensions.size()));
    for (const uint64_t size : dimensions) number<uint64_t>(size);
    return number<uint32_t>(type).number<uint64_t>(offset);
  }
  GgufBuilder& pad(size_t alignment = 32) {
    while (bytes_.size() % alignment != 0) bytes_.push_back(0);
    return *this;
  }
  GgufBuilder& zeros(size_t count) {
    bytes_.insert(bytes_.end(), count, 0);
    return *this;
  }

  const std::vector<uint8_t>& bytes() const { return bytes_; }

 private:
  std::vector<uint8_t> bytes_;
};

}  // namespace toolkit::checkpoint
