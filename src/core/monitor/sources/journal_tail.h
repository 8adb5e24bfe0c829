#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/subprocess.h"
#include "core/monitor/sources/line_cutter.h"

namespace toolkit::monitor {

/// The lines that a service of systemd writes from now on, read from `journalctl -f` as a child.
/// One that ends is started again a minute later.
class JournalTail {
 public:
  /// `unit`: "ollama"; "": no service, no lines.
  explicit JournalTail(std::string unit) : unit_(std::move(unit)) {}
  ~JournalTail();
  JournalTail(const JournalTail&) = delete;
  JournalTail& operator=(const JournalTail&) = delete;

  /// Those since the call before; never waits.
  std::vector<std::string> new_lines(double time_s);
  /// Why the journal tells nothing, and what to do; "" while it may.
  const std::string& trouble() const { return trouble_; }

 private:
  void start();
  void stop();
  std::string read_some() const;

  const std::string unit_;
  std::optional<Subprocess> child_;
  int pipe_ = -1;
  double started_s_ = -1e9;
  LineCutter cutter_;
  std::string trouble_;
};

/// "ollama" where systemd runs this machine and has a service of that name, else "".
std::string ollama_unit();

}  // namespace toolkit::monitor
