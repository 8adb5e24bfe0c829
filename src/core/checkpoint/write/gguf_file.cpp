#include "core/checkpoint/write/gguf_file.h"

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/checkpoint/ggml_types.h"
#include "core/files/disk_space.h"

namespace toolkit::checkpoint {

namespace {

constexpr uint64_t kAlignment = 32;

enum ValueType : uint32_t { kU32 = 4, kI32 = 5, kF32 = 6, kBool = 7, kText = 8, kList = 9 };

template <class T>
void put(std::string& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void put_text(std::string& bytes, std::string_view text) {
  put<uint64_t>(bytes, text.size());
  bytes.append(text);
}

uint64_t padding_after(uint64_t size) {
  return (kAlignment - size % kAlignment) % kAlignment;
}

std::string start_of_file(const GgufMetadata& metadata, const std::vector<GgufPlan>& tensors) {
  std::string bytes = "GGUF";
  put<uint32_t>(bytes, 3);
  put<uint64_t>(bytes, tensors.size());
  put<uint64_t>(bytes, metadata.count());
  bytes += metadata.bytes();
  uint64_t offset = 0;
  for (const GgufPlan& tensor : tensors) {
    put_text(bytes, tensor.name);
    put(bytes, static_cast<uint32_t>(tensor.shape.size()));
    for (size_t i = tensor.shape.size(); i-- > 0;)
      put(bytes, static_cast<uint64_t>(tensor.shape[i]));  // fastest first
    put(bytes, tensor.type);
    put(bytes, offset);
    offset += tensor.size_bytes() + padding_after(tensor.size_bytes());
  }
  bytes.append(padding_after(bytes.size()), '\0');
  return bytes;
}

}  // namespace

void GgufMetadata::key(std::string_view key, uint32_t type) {
  put_text(bytes_, key);
  put(bytes_, type);
  ++count_;
}

void GgufMetadata::list(std::string_view name, uint32_t type, uint64_t count) {
  key(name, kList);
  put(bytes_, type);
  put(bytes_, count);
}

void GgufMetadata::text(std::string_view name, std::string_view value) {
  key(name, kText);
  put_text(bytes_, value);
}

void GgufMetadata::u32(std::string_view name, uint32_t value) {
  key(name, kU32);
  put(bytes_, value);
}

void GgufMetadata::f32(std::string_view name, float value) {
  key(name, kF32);
  put(bytes_, value);
}

void GgufMetadata::flag(std::string_view name, bool value) {
  key(name, kBool);
  bytes_.push_back(value ? '\1' : '\0');
}

void GgufMetadata::texts(std::string_view name, const std::vector<std::string>& values) {
  list(name, kText, values.size());
  for (const std::string& value : values) put_text(bytes_, value);
}

void GgufMetadata::i32s(std::string_view name, const std::vector<int32_t>& values) {
  list(name, kI32, values.size());
  for (const int32_t value : values) put(bytes_, value);
}

void GgufMetadata::f32s(std::string_view name, const std::vector<float>& values) {
  list(name, kF32, values.size());
  for (const float value : values) put(bytes_, value);
}

uint64_t GgufPlan::size_bytes() const {
  uint64_t values = 1;
  for (const int64_t size : shape) values *= static_cast<uint64_t>(size);
  const GgmlTypeInfo* info = find_ggml_type(type);
  return values / info->block_size * info->block_bytes;
}

void save_gguf_file(const std::filesystem::path& path, const GgufMetadata& metadata,
                    const std::vector<GgufPlan>& tensors,
                    const std::function<void(uint64_t done, uint64_t total)>& progress) {
  const std::string start = start_of_file(metadata, tensors);
  uint64_t total = 0, done = 0;
  for (const GgufPlan& tensor : tensors) total += tensor.size_bytes();
  files::require_disk_space(path, start.size() + total + kAlignment * tensors.size());
  write_file_atomically(path, [&](const auto& append) {
    append(start);
    for (const GgufPlan& tensor : tensors) {
      const std::vector<uint8_t> bytes = tensor.content();
      if (bytes.size() != tensor.size_bytes())
        fail(ErrorKind::kInternal, "tensor '{}' has {} bytes, planned were {}", tensor.name,
             bytes.size(), tensor.size_bytes());
      append({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
      append(std::string(padding_after(bytes.size()), '\0'));
      done += bytes.size();
      if (progress) progress(done, total);
    }
  });
}

}  // namespace toolkit::checkpoint
