#pragma once

#include <vector>

#include "core/platform/sensors/apple_libraries_macos.h"
#include "core/platform/sensors/mac_records.h"

namespace toolkit::platform {

/// The temperature sensors among IOKit's human interface devices.
class HidTemperatures {
 public:
  HidTemperatures(const CoreFoundation& foundation, const IoHid& hid);
  ~HidTemperatures();
  HidTemperatures(const HidTemperatures&) = delete;
  HidTemperatures& operator=(const HidTemperatures&) = delete;

  std::vector<HidTemperature> read() const;

 private:
  CfObject sensors_to_match() const;

  const CoreFoundation& foundation_;
  const IoHid& hid_;
  CfObject client_ = nullptr, product_ = nullptr;
};

}  // namespace toolkit::platform
