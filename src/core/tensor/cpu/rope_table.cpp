#include <algorithm>
#include <cmath>
#include <list>
#include <mutex>

#include "core/tensor/cpu/rope_kernels.h"

namespace toolkit::tensor::cpu {

namespace {

constexpr size_t kTablesKept = 8;
constexpr int64_t kPositionsPerStep = 512;

struct Entry {
  std::vector<float> frequencies;
  float scale;
  std::shared_ptr<const RopeTable> table;
};

std::mutex mutex;
std::list<Entry> entries;  // last used first

std::shared_ptr<const RopeTable> grown(const Entry& entry, int64_t positions) {
  const int64_t half = static_cast<int64_t>(entry.frequencies.size());
  auto table = std::make_shared<RopeTable>();
  table->half = half;
  if (entry.table) table->values = entry.table->values;
  const int64_t begin = entry.table ? entry.table->positions() : 0;
  table->values.resize(static_cast<size_t>(positions * 2 * half));
  for (int64_t position = begin; position < positions; ++position) {
    float* row = table->values.data() + position * 2 * half;
    for (int64_t i = 0; i < half; ++i) {
      // The angle is rounded to f32 first, as every implementation this is compared with does.
      const float angle = static_cast<float>(position) * entry.frequencies[static_cast<size_t>(i)];
      row[i] = entry.scale * static_cast<float>(std::cos(static_cast<double>(angle)));
      row[half + i] = entry.scale * static_cast<float>(std::sin(static_cast<double>(angle)));
    }
  }
  return table;
}

}  // namespace

std::shared_ptr<const RopeTable> rope_table(std::span<const float> frequencies, float scale,
                                            int64_t positions) {
  const std::lock_guard lock(mutex);
  auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) {
    return entry.scale == scale && std::equal(frequencies.begin(), frequencies.end(),
                                              entry.frequencies.begin(), entry.frequencies.end());
  });
  if (found == entries.end()) {
    if (entries.size() == kTablesKept) entries.pop_back();
    entries.push_front({{frequencies.begin(), frequencies.end()}, scale, nullptr});
  } else if (found != entries.begin()) {
    entries.splice(entries.begin(), entries, found);
  }
  Entry& entry = entries.front();
  if (!entry.table || entry.table->positions() < positions) {
    // Doubling keeps the copying of a growing context cheap.
    const int64_t known = entry.table ? entry.table->positions() : 0;
    const int64_t wanted = std::max(positions, 2 * known);
    entry.table =
        grown(entry, (wanted + kPositionsPerStep - 1) / kPositionsPerStep * kPositionsPerStep);
  }
  return entry.table;
}

}  // namespace toolkit::tensor::cpu
