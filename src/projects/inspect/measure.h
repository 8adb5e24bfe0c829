#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>

namespace toolkit::inspect {

/// What this machine reaches. Rates are floating-point (or integer) operations per second; zero:
/// not measured.
struct Measured {
  double matrix_product = 0;  // MLX's matmul in f32, 1024 x 1024 x 1024
  std::map<std::string, double>
      linear;                        // our linear layer, forward and backward, by --compute name
  double read_bytes_per_second = 0;  // all cores reading memory that no cache holds
  std::string when;                  // UTC; empty: measured just now
};

/// Runs the measurements, a few seconds in all; `step(done, of, name)` is called before each.
Measured measure(const std::function<void(int done, int of, const std::string& name)>& step);

/// The same, remembered in `file` under `key` (processor, kernels, versions): measured only when it
/// is not there or `again` is set. A file that cannot be read or written does not matter.
Measured remembered(const std::filesystem::path& file, const std::string& key, bool again,
                    const std::function<Measured()>& measure_now);

}  // namespace toolkit::inspect
