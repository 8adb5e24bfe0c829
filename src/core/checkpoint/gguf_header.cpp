#include <algorithm>
#include <bit>
#include <limits>
#include <set>

#include "core/base/error.h"
#include "core/checkpoint/byte_reader.h"
#include "core/checkpoint/checked_math.h"
#include "core/checkpoint/ggml_types.h"
#include "core/checkpoint/gguf_header.h"
#include "core/checkpoint/input_file.h"
#include "core/checkpoint/utf8.h"

namespace toolkit::checkpoint {

static_assert(std::endian::native == std::endian::little, "GGUF is read without swapping bytes");

namespace {

constexpr uint64_t kLongestHeader = uint64_t{256} << 20;
constexpr uint64_t kLongestKey = 65535;  // the specification's own limits
constexpr uint64_t kLongestName = 64;
constexpr uint32_t kMostDimensions = 4;
constexpr uint64_t kLargestAlignment = uint64_t{1} << 20;
constexpr uint64_t kLeastKeyBytes = 8 + 4 + 1;  // length, type, value
constexpr uint64_t kLeastTensorBytes =
    8 + 4 + 8 + 4 + 8;  // name, dimensions, one of them, type, offset

enum ValueType : uint32_t {
  kUint8,
  kInt8,
  kUint16,
  kInt16,
  kUint32,
  kInt32,
  kFloat32,
  kBool,
  kString,
  kArray,
  kUint64,
  kInt64,
  kFloat64
};

class HeaderParser {
 public:
  HeaderParser(std::span<const uint8_t> bytes, uint64_t file_size, const std::string& file_name)
      : reader_(bytes, file_size, file_name), file_(file_name) {}

  GgufHeader parse() {
    parse_preamble();
    for (uint64_t i = 0; i < key_count_; ++i) parse_key();
    for (uint64_t i = 0; i < tensor_count_; ++i) parse_tensor();
    place_tensors();
    return std::move(header_);
  }

 private:
  template <class... Args>
  [[noreturn]] void refuse(uint64_t at, fmt::format_string<Args...> format, Args&&... args) const {
    fail(ErrorKind::kUserInput, "{}: at byte {}: {}", file_, at,
         fmt::format(format, std::forward<Args>(args)...));
  }

  void parse_preamble() {
    const auto magic = reader_.take(4, "the letters GGUF");
    if (std::memcmp(magic.data(), "GGUF", 4) != 0)
      refuse(0, "expected the letters GGUF, found '{}'; this is not a GGUF file",
             printable({reinterpret_cast<const char*>(magic.data()), 4}));
    header_.version = reader_.number<uint32_t>("the version");
    if (__builtin_bswap32(header_.version) <= 0xFFFF && header_.version > 0xFFFF)
      fail(ErrorKind::kUnsupported,
           "{}: this is a big-endian GGUF file; convert it to little-endian (gguf-convert-endian)",
           file_);
    if (header_.version != 2 && header_.version != 3)
      fail(ErrorKind::kUnsupported,
           "{}: expected GGUF version 2 or 3, found {}; convert the model again", file_,
           header_.version);
    tensor_count_ = count("the number of tensors", kLeastTensorBytes);
    key_count_ = count("the number of metadata keys", kLeastKeyBytes);
  }

  /// A count that the rest of the file could hold at all.
  uint64_t count(const char* what, uint64_t least_bytes_each) {
    const uint64_t at = reader_.position();
    const auto value = reader_.number<uint64_t>(what);
    const uint64_t possible = reader_.left_in_file() / least_bytes_each;
    if (value > possible)
      refuse(at, "expected {} to be at most {} in a file of this size, found {}", what, possible,
             value);
    return value;
  }

  void parse_key() {
    const uint64_t at = reader_.position();
    const std::string key(reader_.text("a metadata key", kLongestKey));
    if (key.empty() || !is_utf8(key) || key.find('\0') != std::string::npos)
      refuse(at, "expected a metadata key in UTF-8, found '{}'", printable(key));
    const auto type = reader_.number<uint32_t>("a value type");
    GgufValue value = type == kArray ? parse_array(key) : parse_scalar(key, type);
    if (!header_.metadata.emplace(key, std::move(value)).second)
      refuse(at, "the metadata key '{}' stands there twice", printable(key));
  }

  GgufValue parse_scalar(const std::string& key, uint32_t type) {
    const uint64_t at = reader_.position();
    if (type == kString) {
      std::string text(reader_.text("a string", kLongestHeader));
      if (!is_utf8(text)) refuse(at, "the value of '{}' is not UTF-8", printable(key));
      return text;
    }
    if (type == kBool) return boolean();
    if (type == kFloat32 || type == kFloat64) return real(type);
    if (type == kUint64) return reader_.number<uint64_t>("a number");
    const int64_t value = integer(key, type);
    if (type == kUint8 || type == kUint16 || type == kUint32) return static_cast<uint64_t>(value);
    return value;
  }

  bool boolean() {
    const uint64_t at = reader_.position();
    const auto value = reader_.number<uint8_t>("a truth value");
    if (value > 1) refuse(at, "expected a truth value 0 or 1, found {}", value);
    return value == 1;
  }

  double real(uint32_t type) {
    return type == kFloat32 ? static_cast<double>(reader_.number<float>("a number"))
                            : reader_.number<double>("a number");
  }

  int64_t integer(const std::string& key, uint32_t type) {
    const uint64_t at = reader_.position();
    switch (type) {
      case kUint8:
        return reader_.number<uint8_t>("a number");
      case kInt8:
        return reader_.number<int8_t>("a number");
      case kUint16:
        return reader_.number<uint16_t>("a number");
      case kInt16:
        return reader_.number<int16_t>("a number");
      case kUint32:
        return reader_.number<uint32_t>("a number");
      case kInt32:
        return reader_.number<int32_t>("a number");
      case kInt64:
        return reader_.number<int64_t>("a number");
      case kUint64: {
        const auto value = reader_.number<uint64_t>("a number");
        if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
          refuse(at, "a value of '{}' is too large: {}", printable(key), value);
        return static_cast<int64_t>(value);
      }
      default:
        refuse(at, "expected a value type from 0 to 12 for '{}', found {}", printable(key), type);
    }
  }

  static uint64_t bytes_of(uint32_t type) {
    switch (type) {
      case kUint8:
      case kInt8:
      case kBool:
        return 1;
      case kUint16:
      case kInt16:
        return 2;
      case kUint32:
      case kInt32:
      case kFloat32:
        return 4;
      default:
        return 8;  // a string has at least its length
    }
  }

  GgufValue parse_array(const std::string& key) {
    const uint64_t at = reader_.position();
    const auto type = reader_.number<uint32_t>("an element type");
    if (type > kFloat64)
      refuse(at, "expected an element type from 0 to 12 for '{}', found {}", printable(key), type);
    if (type == kArray)
      fail(ErrorKind::kUnsupported,
           "{}: at byte {}: '{}' is an array of arrays; no known model needs one", file_, at,
           printable(key));
    const uint64_t length = count("the length of an array", bytes_of(type));
    if (type == kString) {
      std::vector<std::string> values;
      for (uint64_t i = 0; i < length; ++i)
        values.emplace_back(reader_.text("a string", kLongestHeader));
      return values;
    }
    if (type == kFloat32 || type == kFloat64) {
      std::vector<double> values;
      for (uint64_t i = 0; i < length; ++i) values.push_back(real(type));
      return values;
    }
    std::vector<int64_t> values;
    for (uint64_t i = 0; i < length; ++i)
      values.push_back(type == kBool ? (boolean() ? 1 : 0) : integer(key, type));
    return values;
  }

  void parse_tensor() {
    const uint64_t at = reader_.position();
    GgufTensor tensor;
    tensor.name = reader_.text("a tensor name", kLongestName);
    if (tensor.name.empty() || !is_utf8(tensor.name) || tensor.name.find('\0') != std::string::npos)
      refuse(at, "expected a tensor name in UTF-8, found '{}'", printable(tensor.name));
    if (!names_.insert(tensor.name).second)
      refuse(at, "the tensor '{}' stands there twice", printable(tensor.name));
    const auto dimensions = reader_.number<uint32_t>("the number of dimensions");
    if (dimensions < 1 || dimensions > kMostDimensions)
      refuse(at, "expected 1 to {} dimensions for tensor '{}', found {}", kMostDimensions,
             printable(tensor.name), dimensions);
    for (uint32_t i = 0; i < dimensions; ++i) {
      const auto size = reader_.number<uint64_t>("a dimension");
      if (size < 1 || size > static_cast<uint64_t>(std::numeric_limits<int32_t>::max()))
        refuse(at, "expected dimension {} of tensor '{}' to be 1 to {}, found {}", i,
               printable(tensor.name), std::numeric_limits<int32_t>::max(), size);
      tensor.shape.insert(tensor.shape.begin(), static_cast<int64_t>(size));
    }
    tensor.type = reader_.number<uint32_t>("a tensor type");
    tensor.begin = reader_.number<uint64_t>("a tensor's place");  // made absolute by place_tensors
    tensor.size_bytes = bytes_of_tensor(tensor, at);
    header_.tensors.push_back(std::move(tensor));
  }

  uint64_t bytes_of_tensor(const GgufTensor& tensor, uint64_t at) const {
    const GgmlTypeInfo* info = find_ggml_type(tensor.type);
    if (!info)
      fail(ErrorKind::kUnsupported,
           "{}: at byte {}: tensor '{}' has the type number {}, which this program does not know; "
           "was "
           "the file made by a newer program?",
           file_, at, printable(tensor.name), tensor.type);
    const auto columns = static_cast<uint64_t>(tensor.shape.back());
    if (columns % info->block_size != 0)
      refuse(at, "expected rows of a multiple of {} values for tensor '{}' of type {}, found {}",
             info->block_size, printable(tensor.name), info->name, columns);
    std::optional<uint64_t> size = columns / info->block_size * info->block_bytes;
    for (size_t i = 0; size && i + 1 < tensor.shape.size(); ++i)
      size = checked_multiply(*size, static_cast<uint64_t>(tensor.shape[i]));
    if (!size || *size > reader_.file_size())
      refuse(at, "tensor '{}' would need more bytes than the file has ({})", printable(tensor.name),
             reader_.file_size());
    return *size;
  }

  uint64_t alignment() const {
    const auto found = header_.metadata.find("general.alignment");
    if (found == header_.metadata.end()) return 32;
    const auto* value = std::get_if<uint64_t>(&found->second);
    if (!value || !std::has_single_bit(*value) || *value > kLargestAlignment)
      fail(ErrorKind::kUserInput,
           "{}: expected general.alignment to be a power of two up to {}, found {}", file_,
           kLargestAlignment, value ? fmt::to_string(*value) : "another kind of value");
    return *value;
  }

  void place_tensors() {
    const uint64_t unit = alignment();
    const uint64_t data = (reader_.position() + unit - 1) / unit * unit;
    std::vector<GgufTensor*> by_place;
    for (GgufTensor& tensor : header_.tensors) {
      if (tensor.begin % unit != 0)
        fail(ErrorKind::kUserInput, "{}: expected tensor '{}' at a multiple of {} bytes, found {}",
             file_, printable(tensor.name), unit, tensor.begin);
      const auto begin = checked_add(tensor.begin, data);
      const auto end = begin ? checked_add(*begin, tensor.size_bytes) : begin;
      if (!end || *end > reader_.file_size())
        fail(ErrorKind::kUserInput,
             "{}: tensor '{}' should lie at bytes {} + {} .. + {}, but the file has {} bytes; it "
             "was cut "
             "short: copy or download it again",
             file_, printable(tensor.name), data, tensor.begin, tensor.size_bytes,
             reader_.file_size());
      tensor.begin = *begin;
      by_place.push_back(&tensor);
    }
    std::sort(by_place.begin(), by_place.end(),
              [](const GgufTensor* a, const GgufTensor* b) { return a->begin < b->begin; });
    for (size_t i = 1; i < by_place.size(); ++i)
      if (by_place[i - 1]->begin + by_place[i - 1]->size_bytes > by_place[i]->begin)
        fail(ErrorKind::kUserInput, "{}: tensors '{}' and '{}' overlap", file_,
             printable(by_place[i - 1]->name), printable(by_place[i]->name));
  }

  ByteReader reader_;
  const std::string& file_;
  GgufHeader header_;
  uint64_t tensor_count_ = 0, key_count_ = 0;
  std::set<std::string> names_;
};

}  // namespace

GgufHeader parse_gguf_header(std::span<const uint8_t> start_of_file, uint64_t file_size,
                             const std::string& file_name) {
  try {
    return HeaderParser(start_of_file, file_size, file_name).parse();
  } catch (const NeedsMoreBytes&) {
    fail(ErrorKind::kUserInput, "{}: the header is longer than the {} bytes that were read",
         file_name, start_of_file.size());
  }
}

GgufHeader read_gguf_header(const std::filesystem::path& path) {
  const InputFile file(path);
  std::vector<uint8_t> bytes;
  for (uint64_t length = uint64_t{4} << 20;; length *= 4) {
    const uint64_t had = bytes.size();
    bytes.resize(std::min({length, file.size(), kLongestHeader}));
    file.read(had, bytes.data() + had, bytes.size() - had);
    try {
      return HeaderParser(bytes, file.size(), file.name()).parse();
    } catch (const NeedsMoreBytes&) {
      if (bytes.size() >= kLongestHeader)
        fail(ErrorKind::kUserInput, "{}: expected a header of at most {} bytes, found a longer one",
             file.name(), kLongestHeader);
    }
  }
}

std::optional<std::string> GgufHeader::text(const std::string& key) const {
  const auto found = metadata.find(key);
  if (found == metadata.end()) return std::nullopt;
  const auto* value = std::get_if<std::string>(&found->second);
  return value ? std::optional(*value) : std::nullopt;
}

std::optional<int64_t> GgufHeader::integer(const std::string& key) const {
  const auto found = metadata.find(key);
  if (found == metadata.end()) return std::nullopt;
  if (const auto* value = std::get_if<int64_t>(&found->second)) return *value;
  if (const auto* value = std::get_if<bool>(&found->second)) return *value ? 1 : 0;
  const auto* value = std::get_if<uint64_t>(&found->second);
  if (value && *value <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
    return static_cast<int64_t>(*value);
  return std::nullopt;
}

std::optional<double> GgufHeader::number(const std::string& key) const {
  const auto found = metadata.find(key);
  if (found == metadata.end()) return std::nullopt;
  if (const auto* value = std::get_if<double>(&found->second)) return *value;
  const auto whole = integer(key);
  return whole ? std::optional(static_cast<double>(*whole)) : std::nullopt;
}

const std::vector<std::string>* GgufHeader::texts(const std::string& key) const {
  const auto found = metadata.find(key);
  return found == metadata.end() ? nullptr : std::get_if<std::vector<std::string>>(&found->second);
}

}  // namespace toolkit::checkpoint
