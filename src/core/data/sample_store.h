#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "core/data/sample_set.h"
#include "core/data/samples.h"
#include "core/files/spool_file.h"

namespace toolkit::data {

/// Samples as they come. Their tokens, 4 bytes each, stay in memory up to a limit and go to a file
/// without a name beyond it, so that a set may be larger than memory.
class SampleStore {
 public:
  static constexpr size_t kMemoryBytes = size_t{64} << 20;

  /// `folder`: where the file would lie; it must exist only then.
  explicit SampleStore(std::filesystem::path folder, size_t memory_bytes = kMemoryBytes);

  /// Throws Error(kInternal) for a sample whose marks do not match its ids, Error(kIo) when the
  /// file cannot be written.
  void add(const Sample& sample);

  size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }

  /// All of them, in order. The store is empty then.
  SampleSet finish();

 private:
  struct Entry {
    int32_t size, supervised, line;
  };
  void spill();

  std::filesystem::path folder_;
  size_t memory_bytes_;
  std::vector<Entry> entries_;
  std::vector<uint32_t> tokens_;  // not yet in the file
  std::unique_ptr<files::SpoolFile> file_;
};

}  // namespace toolkit::data
