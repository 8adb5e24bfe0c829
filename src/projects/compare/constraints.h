#pragma once

#include <string>
#include <vector>

namespace toolkit::compare {

/// What a method must keep; 0: nothing is asked.
struct Constraints {
  double memory_bytes = 0;   // peak resident memory of the run
  double seconds = 0;        // of the whole run, loading and validation included
  double adapter_bytes = 0;  // of what is written
};

/// "memory=4GB", "time=10min", "adapter=50MB": sizes in B, kB, MB, GB (powers of 1000) or KiB, MiB,
/// GiB, times in s, min or h. Throws Error(kUserInput) naming what it cannot read.
Constraints read_constraints(const std::vector<std::string>& texts);

/// "850 ms", "42 s", "3 min 5 s", "2 h 10 min"
std::string shown_seconds(double seconds);
/// "4.2 GB"
std::string shown_size(double bytes);

}  // namespace toolkit::compare
