#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace toolkit {

/// Progress of one long job on stderr: a redrawn bar with rate and remaining time on a terminal, a
/// plain line every ten seconds elsewhere, nothing when quiet. Safe to destroy at any moment.
class Progress {
 public:
  Progress(std::string label, int64_t total, bool quiet);
  ~Progress();
  /// `note` stands behind the bar: "loss 1.83  612 tok/s  0.9 GB".
  void update(int64_t done, const std::string& note = "");
  void finish(const std::string& note = "");

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace toolkit
