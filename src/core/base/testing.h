#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <vector>

#include "core/base/error.h"

namespace toolkit::testing {

/// For tests: a new empty folder, gone with this object.
class TestingFolder {
 public:
  TestingFolder() {
    static std::atomic<int> count = 0;
    path = std::filesystem::temp_directory_path() /
           ("toolkit_test_" + std::to_string(::getpid()) + "_" + std::to_string(count++));
    std::filesystem::remove_all(path);
    std::filesystem::create_directories(path);
  }
  ~TestingFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  TestingFolder(const TestingFolder&) = delete;
  TestingFolder& operator=(const TestingFolder&) = delete;

  /// Writes path/name, with the folders above it, and returns where it is.
  std::filesystem::path write(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories((path / name).parent_path());
    std::ofstream(path / name, std::ios::binary) << content;
    return path / name;
  }
  std::filesystem::path write(const std::string& name, const std::vector<uint8_t>& bytes) const {
    return write(name, std::string(bytes.begin(), bytes.end()));
  }

  /// How many files and folders are directly in it.
  long entries() const {
    using Iterator = std::filesystem::directory_iterator;
    return static_cast<long>(std::distance(Iterator(path), Iterator()));
  }

  std::filesystem::path path;
};

/// The message of the Error that `call` throws, "" if it throws none; its kind is checked.
template <class Call>
std::string refusal_of(const Call& call, ErrorKind kind = ErrorKind::kUserInput) {
  try {
    call();
  } catch (const Error& error) {
    CHECK_MESSAGE(error.kind() == kind, error.what());
    return error.what();
  }
  return "";
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace toolkit::testing
