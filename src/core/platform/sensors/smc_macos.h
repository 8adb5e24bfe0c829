#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/platform/sensors/apple_libraries_macos.h"

namespace toolkit::platform {

/// The system management controller: temperatures and the power of the whole system. Readable by
/// every user from macOS 14.
class Smc {
 public:
  Smc(const IoKit& kit, const std::string& service);
  ~Smc();
  Smc(const Smc&) = delete;
  Smc& operator=(const Smc&) = delete;

  std::optional<double> value(const std::string& key) const;
  /// The keys of temperatures there are, found once.
  const std::vector<std::string>& gpu_keys() const { return gpu_keys_; }
  const std::vector<std::string>& cpu_keys() const { return cpu_keys_; }

 private:
  std::optional<SmcMessage> ask(SmcMessage message) const;
  void list_keys();

  const IoKit& kit_;
  uint32_t connection_ = 0;
  std::vector<std::string> gpu_keys_, cpu_keys_;
};

}  // namespace toolkit::platform
