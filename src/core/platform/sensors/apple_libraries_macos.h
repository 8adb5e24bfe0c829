#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/platform/sensors/mac_records.h"

namespace toolkit::platform {

// Core Foundation, IOKit and IOReport opened at run time: only the few functions that are called,
// as Apple declares them. A library or function that is missing leaves a null pointer.

using CfObject = const void*;
using IoObject = uint32_t;

/// Core Foundation.
struct CoreFoundation {
  CoreFoundation();
  void (*release)(CfObject) = nullptr;
  CfObject (*make_string)(CfObject allocator, const char*, uint32_t encoding) = nullptr;
  unsigned char (*string_bytes)(CfObject, char*, long, uint32_t encoding) = nullptr;
  long (*dictionary_count)(CfObject) = nullptr;
  void (*dictionary_entries)(CfObject, CfObject* keys, CfObject* values) = nullptr;
  CfObject (*dictionary_value)(CfObject, CfObject key) = nullptr;
  long (*array_count)(CfObject) = nullptr;
  CfObject (*array_value)(CfObject, long) = nullptr;
  unsigned char (*number_value)(CfObject, long type, void*) = nullptr;
  unsigned long (*type_of)(CfObject) = nullptr;
  unsigned long (*dictionary_type)() = nullptr;
  unsigned long (*string_type)() = nullptr;
  unsigned long (*number_type)() = nullptr;
  CfObject (*make_number)(CfObject allocator, long type, const void*) = nullptr;
  CfObject (*make_dictionary)(CfObject allocator, CfObject* keys, CfObject* values, long count,
                              const void* key_calls, const void* value_calls) = nullptr;
  const void *key_calls = nullptr, *value_calls = nullptr;  // of dictionaries of objects
  bool ready = false;

  std::string text(CfObject string) const;  // "" for none
  /// Dictionaries, texts and numbers; what else is in there is left out. Four levels at most.
  nlohmann::json to_json(CfObject object, int levels = 4) const;
};

/// IOKit's registry.
struct IoKit {
  IoKit();
  CfObject (*matching)(const char*) = nullptr;
  int (*find_services)(uint32_t port, CfObject matching, IoObject*) = nullptr;
  IoObject (*next)(IoObject iterator) = nullptr;
  int (*release)(IoObject) = nullptr;
  int (*properties)(IoObject, CfObject*, CfObject allocator, uint32_t options) = nullptr;
  int (*name)(IoObject, char[128]) = nullptr;
  int (*open)(IoObject, uint32_t task, uint32_t type, uint32_t* connection) = nullptr;
  int (*close)(uint32_t connection) = nullptr;
  int (*call)(uint32_t connection, uint32_t selector, const void*, size_t, void*,
              size_t*) = nullptr;
  bool ready = false;
};

/// IOKit's sensors of human interface devices, to which the chips' temperatures belong (its names
/// as tools without root use them).
struct IoHid {
  IoHid();
  CfObject (*client)(CfObject allocator) = nullptr;
  int (*set_matching)(CfObject client, CfObject dictionary) = nullptr;
  CfObject (*services)(CfObject client) = nullptr;
  CfObject (*property)(CfObject service, CfObject key) = nullptr;
  CfObject (*event)(CfObject service, int64_t type, int32_t, int64_t) = nullptr;
  double (*real)(CfObject event, int32_t field) = nullptr;
  bool ready = false;
};

/// IOReport, a library without public headers (its names as tools without root use them).
struct IoReport {
  IoReport();
  CfObject (*channels)(CfObject group, CfObject subgroup, uint64_t, uint64_t, uint64_t) = nullptr;
  void (*merge)(CfObject into, CfObject from, CfObject) = nullptr;
  CfObject (*subscribe)(void*, CfObject channels, CfObject* subscribed, uint64_t,
                        CfObject) = nullptr;
  CfObject (*sample)(CfObject subscription, CfObject channels, CfObject) = nullptr;
  CfObject (*difference)(CfObject before, CfObject after, CfObject) = nullptr;
  CfObject (*group)(CfObject channel) = nullptr;
  CfObject (*channel_name)(CfObject channel) = nullptr;
  CfObject (*unit)(CfObject channel) = nullptr;
  int (*state_count)(CfObject channel) = nullptr;
  CfObject (*state_name)(CfObject channel, int) = nullptr;
  int64_t (*state_residency)(CfObject channel, int) = nullptr;
  int64_t (*integer)(CfObject channel, int) = nullptr;
  bool ready = false;
};

}  // namespace toolkit::platform
