#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace toolkit::checkpoint {

/// A folder for one test, gone afterwards.
struct TestingFolder {
  std::filesystem::path path;

  TestingFolder() {
    static int count = 0;
    path =
        std::filesystem::temp_directory_path() /
        ("toolkit_checkpoint_test_" + std::to_string(::getpid()) + "_" + std::to_string(count++));
    std::filesystem::create_directories(path);
  }
  ~TestingFolder() { std::filesystem::remove_all(path); }
  TestingFolder(const TestingFolder&) = delete;
  TestingFolder& operator=(const TestingFolder&) = delete;

  std::filesystem::path write(const std::string& name, const std::string& content) const {
    std::ofstream(path / name, std::ios::binary) << content;
    return path / name;
  }
  std::filesystem::path write(const std::string& name, const std::vector<uint8_t>& bytes) const {
    return write(name, std::string(bytes.begin(), bytes.end()));
  }
};

}  // namespace toolkit::checkpoint
