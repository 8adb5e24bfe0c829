// Not run on a Mac yet; cross-compiled by scripts/cross_macos.

#include "core/platform/sensors/apple_libraries_macos.h"

#include <dlfcn.h>

#include <nlohmann/json.hpp>
#include <vector>

namespace toolkit::platform {

namespace {

constexpr uint32_t kUtf8 = 0x08000100;
constexpr long kDouble = 13;  // kCFNumberDoubleType

template <class Function>
bool find(void* library, Function& function, const char* symbol) {
  function = library ? reinterpret_cast<Function>(::dlsym(library, symbol)) : nullptr;
  return function != nullptr;
}

void* framework(const std::string& name) {
  return ::dlopen(("/System/Library/Frameworks/" + name + ".framework/" + name).c_str(),
                  RTLD_LAZY | RTLD_LOCAL);
}

}  // namespace

CoreFoundation::CoreFoundation() {
  void* library = framework("CoreFoundation");
  ready = find(library, release, "CFRelease") &&
          find(library, make_string, "CFStringCreateWithCString") &&
          find(library, string_bytes, "CFStringGetCString") &&
          find(library, dictionary_count, "CFDictionaryGetCount") &&
          find(library, dictionary_entries, "CFDictionaryGetKeysAndValues") &&
          find(library, dictionary_value, "CFDictionaryGetValue") &&
          find(library, array_count, "CFArrayGetCount") &&
          find(library, array_value, "CFArrayGetValueAtIndex") &&
          find(library, number_value, "CFNumberGetValue") &&
          find(library, type_of, "CFGetTypeID") &&
          find(library, dictionary_type, "CFDictionaryGetTypeID") &&
          find(library, string_type, "CFStringGetTypeID") &&
          find(library, number_type, "CFNumberGetTypeID") &&
          find(library, make_number, "CFNumberCreate") &&
          find(library, make_dictionary, "CFDictionaryCreate") &&
          find(library, key_calls, "kCFTypeDictionaryKeyCallBacks") &&
          find(library, value_calls, "kCFTypeDictionaryValueCallBacks");
}

std::string CoreFoundation::text(CfObject string) const {
  char bytes[256] = {};
  if (!string || type_of(string) != string_type() ||
      !string_bytes(string, bytes, sizeof bytes, kUtf8))
    return "";
  return bytes;
}

nlohmann::json CoreFoundation::to_json(CfObject object, int levels) const {
  if (!object || levels == 0) return nullptr;
  const unsigned long type = type_of(object);
  if (type == string_type()) return text(object);
  if (type == number_type()) {
    double value = 0;
    return number_value(object, kDouble, &value) ? nlohmann::json(value) : nlohmann::json();
  }
  if (type != dictionary_type()) return nullptr;
  const auto count = static_cast<size_t>(dictionary_count(object));
  std::vector<CfObject> keys(count), values(count);
  dictionary_entries(object, keys.data(), values.data());
  nlohmann::json result = nlohmann::json::object();
  for (size_t at = 0; at < count; ++at) {
    nlohmann::json value = to_json(values[at], levels - 1);
    if (!value.is_null()) result[text(keys[at])] = std::move(value);
  }
  return result;
}

IoKit::IoKit() {
  void* library = framework("IOKit");
  ready = find(library, matching, "IOServiceMatching") &&
          find(library, find_services, "IOServiceGetMatchingServices") &&
          find(library, next, "IOIteratorNext") && find(library, release, "IOObjectRelease") &&
          find(library, properties, "IORegistryEntryCreateCFProperties") &&
          find(library, name, "IORegistryEntryGetName") && find(library, open, "IOServiceOpen") &&
          find(library, close, "IOServiceClose") &&
          find(library, call, "IOConnectCallStructMethod");
}

IoHid::IoHid() {
  void* library = framework("IOKit");
  ready = find(library, client, "IOHIDEventSystemClientCreate") &&
          find(library, set_matching, "IOHIDEventSystemClientSetMatching") &&
          find(library, services, "IOHIDEventSystemClientCopyServices") &&
          find(library, property, "IOHIDServiceClientCopyProperty") &&
          find(library, event, "IOHIDServiceClientCopyEvent") &&
          find(library, real, "IOHIDEventGetFloatValue");
}

IoReport::IoReport() {
  void* library = ::dlopen("/usr/lib/libIOReport.dylib", RTLD_LAZY | RTLD_LOCAL);
  ready = find(library, channels, "IOReportCopyChannelsInGroup") &&
          find(library, merge, "IOReportMergeChannels") &&
          find(library, subscribe, "IOReportCreateSubscription") &&
          find(library, sample, "IOReportCreateSamples") &&
          find(library, difference, "IOReportCreateSamplesDelta") &&
          find(library, group, "IOReportChannelGetGroup") &&
          find(library, channel_name, "IOReportChannelGetChannelName") &&
          find(library, unit, "IOReportChannelGetUnitLabel") &&
          find(library, state_count, "IOReportStateGetCount") &&
          find(library, state_name, "IOReportStateGetNameForIndex") &&
          find(library, state_residency, "IOReportStateGetResidency") &&
          find(library, integer, "IOReportSimpleGetIntegerValue");
}

}  // namespace toolkit::platform
