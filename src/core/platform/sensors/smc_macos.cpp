// Not run on a Mac yet; cross-compiled by scripts/cross_macos.

#include "core/platform/sensors/smc_macos.h"

#include <mach/mach.h>

#include <algorithm>

namespace toolkit::platform {

namespace {

constexpr uint32_t kCall = 2;
constexpr uint8_t kReadBytes = 5, kKeyAtIndex = 8, kKeyInfo = 9;
constexpr uint32_t kMostKeys = 10'000;

}  // namespace

Smc::Smc(const IoKit& kit, const std::string& service) : kit_(kit) {
  IoObject services = 0;
  if (!kit.ready || kit.find_services(0, kit.matching("AppleSMC"), &services) != 0) return;
  while (const IoObject one = kit.next(services)) {
    char name[128] = {};
    const bool wanted = kit.name(one, name) == 0 && (service.empty() || service == name);
    if (wanted && connection_ == 0) kit.open(one, mach_task_self(), 0, &connection_);
    kit.release(one);
  }
  kit.release(services);
  if (connection_ != 0) list_keys();
}

Smc::~Smc() {
  if (connection_ != 0) kit_.close(connection_);
}

std::optional<SmcMessage> Smc::ask(SmcMessage message) const {
  SmcMessage answer;
  size_t size = sizeof answer;
  if (connection_ == 0 ||
      kit_.call(connection_, kCall, &message, sizeof message, &answer, &size) != 0 ||
      size != sizeof answer || answer.result != 0)
    return std::nullopt;
  return answer;
}

std::optional<double> Smc::value(const std::string& key) const {
  const auto info = ask({.key = smc_code(key), .command = kKeyInfo});
  if (!info || info->data_size > info->bytes.size()) return std::nullopt;
  const auto answer =
      ask({.key = smc_code(key), .data_size = info->data_size, .command = kReadBytes});
  if (!answer) return std::nullopt;
  return smc_value(smc_name(info->data_type), std::span(answer->bytes).first(info->data_size));
}

void Smc::list_keys() {
  const double count = value("#KEY").value_or(0);
  for (uint32_t at = 0; at < std::min(static_cast<uint32_t>(count), kMostKeys); ++at) {
    const auto answer = ask({.command = kKeyAtIndex, .data = at});
    if (!answer) continue;
    const std::string key = smc_name(answer->key);
    if (is_gpu_temperature_key(key)) gpu_keys_.push_back(key);
    if (is_cpu_temperature_key(key)) cpu_keys_.push_back(key);
  }
}

}  // namespace toolkit::platform
