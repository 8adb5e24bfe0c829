#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace toolkit::checkpoint {

/// A regular file that is read at given places. Reads never move a shared position, so several
/// threads may use several InputFiles of one path, and a file that shrinks gives an error, not a
/// signal.
class InputFile {
 public:
  /// Throws Error(kNotFound) if there is none, Error(kUserInput) for a folder, pipe or device,
  /// Error(kIo) if it cannot be opened.
  explicit InputFile(const std::filesystem::path& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  uint64_t size() const { return size_; }  // when it was opened
  const std::string& name() const { return name_; }
  /// Fills `to`. Throws Error(kUserInput) if the file ends before, Error(kIo) if reading fails.
  void read(uint64_t offset, void* to, uint64_t count) const;

 private:
  std::string name_;
  int descriptor_ = -1;
  uint64_t size_ = 0;
};

/// The whole text of a small file: as InputFile, and Error(kUserInput) beyond `limit_bytes`.
std::string read_text(const std::filesystem::path& path, uint64_t limit_bytes);

}  // namespace toolkit::checkpoint
