#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace toolkit::cache {

/// Bytes per second over the last five seconds.
class TransferRate {
 public:
  void note(double seconds, uint64_t bytes);     // both counted from the same beginning
  void restart(double seconds, uint64_t bytes);  // what came before was there already
  double bytes_per_second() const;

 private:
  struct Sample {
    double seconds;
    uint64_t bytes;
  };
  std::deque<Sample> samples_;
};

struct TransferLine {
  std::string label;  // may come from outside: control characters are shown, not obeyed
  uint64_t done_bytes = 0, total_bytes = 0;
  double bytes_per_second = 0;
};

/// "model.safetensors  ━━━━━╌╌╌╌╌  1.21 GB of 2.40 GB  50 %  84.0 MB/s  14 s left", no wider than
/// `width` columns; labels are padded or cut to `label_width`.
std::string transfer_bar(const TransferLine& line, int width, int label_width);

/// The same without a bar and padding, for logs and pipes.
std::string transfer_text(const TransferLine& line);

}  // namespace toolkit::cache
