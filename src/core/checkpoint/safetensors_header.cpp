#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/error.h"
#include "core/checkpoint/checked_math.h"
#include "core/checkpoint/input_file.h"
#include "core/checkpoint/safetensors.h"
#include "core/checkpoint/safetensors_dtypes.h"
#include "core/checkpoint/utf8.h"

namespace toolkit::checkpoint {

static_assert(std::endian::native == std::endian::little,
              "safetensors is read without swapping bytes");

namespace {

using Json = nlohmann::json;

constexpr uint64_t kLongestHeader = 100'000'000;  // the reference implementation's limit
constexpr size_t kMostDimensions = 32;
constexpr const char* kMetadata = "__metadata__";

/// Takes the header's JSON event by event: no tree is built, so a hostile header costs no more
/// memory than its own size, and duplicates are seen.
class HeaderEvents : public nlohmann::json_sax<Json> {
 public:
  HeaderEvents(SafetensorsHeader& header, const std::string& file) : header_(header), file_(file) {}

  bool null() override {
    if (depth_ == 1 && in_metadata_) return true;
    refuse("null");
  }
  bool boolean(bool value) override { refuse(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { refuse(fmt::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override { refuse(text); }
  bool binary(binary_t&) override { refuse("binary"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (depth_ != 3) refuse(fmt::to_string(value));
    if (member_ == "shape") {
      if (value > static_cast<uint64_t>(std::numeric_limits<int32_t>::max()))
        fail(ErrorKind::kUserInput,
             "{}: expected the dimensions of '{}' to be at most {}, found {}", file_,
             printable(name_), std::numeric_limits<int32_t>::max(), value);
      if (entry_.shape.size() == kMostDimensions) refuse("more than 32 dimensions");
      entry_.shape.push_back(static_cast<int64_t>(value));
    } else {
      if (offsets_.size() == 2) refuse("a third offset");
      offsets_.push_back(value);
    }
    return true;
  }

  bool string(string_t& value) override {
    if (depth_ == 2 && in_metadata_) {
      if (!header_.metadata.emplace(member_, std::move(value)).second)
        twice("metadata key", member_);
      return true;
    }
    if (depth_ != 2 || member_ != "dtype") refuse("'" + printable(value) + "'");
    if (!safetensors_bits(value))
      fail(ErrorKind::kUserInput,
           "{}: tensor '{}' has the dtype '{}', which safetensors does not have", file_,
           printable(name_), printable(value));
    entry_.dtype = std::move(value);
    return true;
  }

  bool key(string_t& key) override {
    if (depth_ == 1) {
      name_ = std::move(key);
      in_metadata_ = name_ == kMetadata;
      if (in_metadata_ && std::exchange(saw_metadata_, true)) twice("key", name_);
      if (header_.tensors.contains(name_)) twice("tensor", name_);
      return true;
    }
    member_ = std::move(key);
    if (in_metadata_) return true;
    if (member_ != "dtype" && member_ != "shape" && member_ != "data_offsets")
      fail(ErrorKind::kUserInput,
           "{}: expected dtype, shape and data_offsets of tensor '{}', found '{}'", file_,
           printable(name_), printable(member_));
    if (!members_.insert(member_).second) twice("member", member_);
    return true;
  }

  bool start_object(std::size_t) override {
    if (depth_ > 1) refuse("an object");
    ++depth_;
    entry_ = {};
    offsets_.clear();
    members_.clear();
    return true;
  }

  bool end_object() override {
    if (--depth_ == 1 && !in_metadata_) {
      if (members_.size() != 3 || offsets_.size() != 2)
        fail(ErrorKind::kUserInput,
             "{}: expected dtype, shape and two data_offsets of tensor '{}', found less", file_,
             printable(name_));
      entry_.begin = offsets_[0];
      entry_.end = offsets_[1];
      header_.tensors.emplace(name_, std::move(entry_));
    }
    return true;
  }

  bool start_array(std::size_t) override {
    if (depth_ != 2 || in_metadata_ || member_ == "dtype") refuse("an array");
    ++depth_;
    return true;
  }
  bool end_array() override {
    --depth_;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    fail(ErrorKind::kUserInput, "{}: at byte {}: expected the header's JSON, found {}", file_,
         position + 7, printable(error.what(), 200));
  }

 private:
  [[noreturn]] void refuse(const std::string& found) const {
    std::string where = "at the top of the header";
    if (depth_ == 1) where = fmt::format("as the value of '{}'", printable(name_));
    if (depth_ > 1) where = fmt::format("as '{}' of '{}'", printable(member_), printable(name_));
    const char* expected = depth_ <= 1          ? "an object"
                           : in_metadata_       ? "a text"
                           : member_ == "dtype" ? "the name of a dtype"
                                                : "whole numbers from 0";
    fail(ErrorKind::kUserInput, "{}: expected {} {}, found {}", file_, expected, where, found);
  }
  [[noreturn]] void twice(const char* what, const std::string& name) const {
    fail(ErrorKind::kUserInput, "{}: the {} '{}' stands in the header twice", file_, what,
         printable(name));
  }

  SafetensorsHeader& header_;
  const std::string& file_;
  int depth_ = 0;  // 1: the header, 2: a tensor or the metadata, 3: shape or data_offsets
  bool in_metadata_ = false, saw_metadata_ = false;
  std::string name_, member_;
  SafetensorsEntry entry_;
  std::vector<uint64_t> offsets_;
  std::set<std::string> members_;
};

uint64_t tensor_bytes(const std::string& name, const SafetensorsEntry& entry,
                      const std::string& file) {
  std::optional<uint64_t> bits = *safetensors_bits(entry.dtype);
  for (const int64_t size : entry.shape)
    if (bits) bits = checked_multiply(*bits, static_cast<uint64_t>(size));
  if (!bits)
    fail(ErrorKind::kUserInput, "{}: the shape of tensor '{}' needs more than 2^64 bits", file,
         printable(name));
  if (*bits % 8 != 0)
    fail(ErrorKind::kUserInput, "{}: tensor '{}' of dtype {} does not end at a whole byte", file,
         printable(name), entry.dtype);
  return *bits / 8;
}

/// The tensors must follow each other from the first byte of data to the last of the file.
void check_places(SafetensorsHeader& header, uint64_t data_begin, uint64_t file_size,
                  const std::string& file) {
  std::vector<std::pair<const std::string*, SafetensorsEntry*>> by_place;
  for (auto& [name, entry] : header.tensors) by_place.push_back({&name, &entry});
  std::sort(by_place.begin(), by_place.end(), [](const auto& a, const auto& b) {
    return std::pair(a.second->begin, a.second->end) < std::pair(b.second->begin, b.second->end);
  });
  const uint64_t data_size = file_size - data_begin;
  uint64_t expected_begin = 0;
  for (const auto& [name, entry] : by_place) {
    if (entry->begin != expected_begin || entry->end < entry->begin)
      fail(ErrorKind::kUserInput,
           "{}: expected tensor '{}' to begin at byte {} of the data, where the one before ends; "
           "found {} to {}",
           file, printable(*name), expected_begin, entry->begin, entry->end);
    const uint64_t bytes = tensor_bytes(*name, *entry, file);
    if (entry->end - entry->begin != bytes)
      fail(ErrorKind::kUserInput,
           "{}: expected {} bytes for tensor '{}' by its dtype and shape, found {}", file, bytes,
           printable(*name), entry->end - entry->begin);
    if (entry->end > data_size)
      fail(ErrorKind::kUserInput,
           "{}: tensor '{}' ends at byte {} of the data, but the file has only {}; it was cut "
           "short: copy or "
           "download it again",
           file, printable(*name), entry->end, data_size);
    expected_begin = entry->end;
    entry->begin += data_begin;
    entry->end += data_begin;
  }
  if (expected_begin != data_size)
    fail(ErrorKind::kUserInput, "{}: expected {} bytes of data by the header, the file has {}",
         file, expected_begin, data_size);
}

uint64_t header_size(std::span<const uint8_t> start_of_file, uint64_t file_size,
                     const std::string& file) {
  if (file_size < 8 || start_of_file.size() < 8)
    fail(ErrorKind::kUserInput, "{}: expected a safetensors file of at least 8 bytes, found {}",
         file, file_size);
  uint64_t size;
  std::memcpy(&size, start_of_file.data(), 8);
  if (size > kLongestHeader)
    fail(ErrorKind::kUserInput,
         "{}: expected a header of at most {} bytes, the file says {}; this is not a safetensors "
         "file",
         file, kLongestHeader, size);
  if (size > file_size - 8)
    fail(ErrorKind::kUserInput,
         "{}: expected a header of {} bytes, the file has {} left; it was cut short: copy or "
         "download it again",
         file, size, file_size - 8);
  return size;
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::span<const uint8_t> start_of_file,
                                           uint64_t file_size, const std::string& file_name) {
  const uint64_t size = header_size(start_of_file, file_size, file_name);
  if (size > start_of_file.size() - 8)
    fail(ErrorKind::kUserInput, "{}: the header is longer than the {} bytes that were read",
         file_name, start_of_file.size());
  const char* text = reinterpret_cast<const char*>(start_of_file.data()) + 8;
  if (size == 0 || text[0] != '{')
    fail(ErrorKind::kUserInput, "{}: expected the header to begin with {{, found '{}'", file_name,
         printable({text, std::min<size_t>(size, 8)}));
  SafetensorsHeader header;
  HeaderEvents events(header, file_name);
  Json::sax_parse(text, text + size, &events);
  check_places(header, 8 + size, file_size, file_name);
  return header;
}

SafetensorsHeader read_safetensors_header(const std::filesystem::path& path) {
  const InputFile file(path);
  std::vector<uint8_t> bytes(std::min<uint64_t>(file.size(), 8));
  file.read(0, bytes.data(), bytes.size());
  bytes.resize(8 + header_size(bytes, file.size(), file.name()));
  file.read(8, bytes.data() + 8, bytes.size() - 8);
  return parse_safetensors_header(bytes, file.size(), file.name());
}

}  // namespace toolkit::checkpoint
