// Not run on a Mac yet; cross-compiled by scripts/cross_macos.

#include "core/platform/sensors/hid_temperatures_macos.h"

namespace toolkit::platform {

namespace {

constexpr uint32_t kUtf8 = 0x08000100;
constexpr long kInt = 9;                         // kCFNumberIntType
constexpr int kAppleVendorPage = 0xff00;         // kHIDPage_AppleVendor
constexpr int kTemperatureSensor = 5;            // kHIDUsage_AppleVendor_TemperatureSensor
constexpr int kTemperatureEvent = 15;            // kIOHIDEventTypeTemperature
constexpr int kLevel = kTemperatureEvent << 16;  // kIOHIDEventFieldTemperatureLevel

}  // namespace

HidTemperatures::HidTemperatures(const CoreFoundation& foundation, const IoHid& hid)
    : foundation_(foundation), hid_(hid) {
  if (!foundation.ready || !hid.ready) return;
  client_ = hid.client(nullptr);
  if (!client_) return;
  CfObject wanted = sensors_to_match();
  hid.set_matching(client_, wanted);
  foundation.release(wanted);
  product_ = foundation.make_string(nullptr, "Product", kUtf8);
}

HidTemperatures::~HidTemperatures() {
  for (CfObject object : {client_, product_})
    if (object) foundation_.release(object);
}

CfObject HidTemperatures::sensors_to_match() const {
  CfObject keys[] = {foundation_.make_string(nullptr, "PrimaryUsagePage", kUtf8),
                     foundation_.make_string(nullptr, "PrimaryUsage", kUtf8)};
  CfObject values[] = {foundation_.make_number(nullptr, kInt, &kAppleVendorPage),
                       foundation_.make_number(nullptr, kInt, &kTemperatureSensor)};
  CfObject dictionary = foundation_.make_dictionary(nullptr, keys, values, 2, foundation_.key_calls,
                                                    foundation_.value_calls);
  for (CfObject object : {keys[0], keys[1], values[0], values[1]}) foundation_.release(object);
  return dictionary;
}

std::vector<HidTemperature> HidTemperatures::read() const {
  std::vector<HidTemperature> sensors;
  CfObject services = client_ ? hid_.services(client_) : nullptr;
  if (!services) return sensors;
  for (long at = 0; at < foundation_.array_count(services); ++at) {
    CfObject service = foundation_.array_value(services, at);
    CfObject name = hid_.property(service, product_);
    CfObject event = hid_.event(service, kTemperatureEvent, 0, 0);
    if (name && event) sensors.push_back({foundation_.text(name), hid_.real(event, kLevel)});
    if (name) foundation_.release(name);
    if (event) foundation_.release(event);
  }
  foundation_.release(services);
  return sensors;
}

}  // namespace toolkit::platform
