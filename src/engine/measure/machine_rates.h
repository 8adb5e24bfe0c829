#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>

namespace toolkit::engine {

/// What this machine reaches. Rates are floating-point (or integer) operations per second; zero:
/// not measured.
struct MachineRates {
  double matrix_product = 0;  // MLX's matmul in f32, 1024 x 1024 x 1024
  /// A frozen linear layer (512 tokens, 1024 x 1024), forward and input gradient, by name of the
  /// arithmetic; what `--compute auto` compares.
  std::map<std::string, double> linear;
  double read_bytes_per_second = 0;  // all cores reading memory that no cache holds
  std::string when;                  // UTC; empty: measured just now
};

using MeasuringStep = std::function<void(int done, int of, const std::string& name)>;

/// The rates of this machine, remembered in `machine.json` of the toolkit's home folder; measured
/// (a few seconds, `step` is called before each part) when they are not there or `again` is set.
MachineRates machine_rates(bool again = false, const MeasuringStep& step = {});

/// What `measure_now` gives, remembered in `file` under `key`: called only when nothing is there or
/// `again` is set. A file that cannot be read or written does not matter.
MachineRates remembered_rates(const std::filesystem::path& file, const std::string& key, bool again,
                              const std::function<MachineRates()>& measure_now);

}  // namespace toolkit::engine
