#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mlx/array.h"

namespace toolkit::distributed {

namespace mx = mlx::core;

/// The processes that train one model together. All of them must call the same functions in the
/// same order. A wait for the others that lasts longer than peer_timeout() ends the program with
/// exit code 1 and says so: a process that is gone never answers.
class ProcessGroup {
 public:
  /// This process alone: sums are what they were.
  ProcessGroup();
  /// The group that the environment describes (transport.h); alone where it describes none. Throws
  /// Error(kUserInput | kUnsupported) where a group is described that MLX cannot join.
  static ProcessGroup from_environment();

  int rank() const { return rank_; }
  int size() const { return size_; }
  bool alone() const { return size_ == 1; }
  bool leads() const { return rank_ == 0; }  // writes and prints
  const std::string& transport() const { return transport_; }

  /// Each array summed over all processes, f32, evaluated, the same bits on every process. They
  /// travel together in buffers of at most 64 MiB, or one array's size.
  std::vector<mx::array> sum(std::vector<mx::array> arrays) const;
  /// The same for some numbers, exact to a double, added in the order of the ranks.
  std::vector<double> sum(std::span<const double> numbers) const;
  /// Throws Error(kUserInput) on every process, naming the ranks that differ from rank 0, unless
  /// `text` is the same everywhere.
  void check_same(const std::string& what, const std::string& text) const;
  /// The same for the content of arrays.
  void check_same(const std::string& what, std::span<const mx::array> arrays) const;

 private:
  struct Connection;
  /// `words` of every process, one behind the other.
  std::vector<uint32_t> gather(std::span<const uint32_t> words) const;
  void evaluate(std::vector<mx::array> arrays) const;

  std::shared_ptr<Connection> connection_;
  std::string transport_;
  int rank_ = 0, size_ = 1;
};

}  // namespace toolkit::distributed
