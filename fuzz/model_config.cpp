#include "fuzz/target.h"
#include "models/decoder.h"

/// A config.json as the model code reads it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace toolkit;
  return fuzz::expect_no_crash(
      [&] { models::decoder_config_from_json(fuzz::as_text(data, size), "config.json"); });
}
