#include <cstdlib>

#include "core/model_store/metadata.h"
#include "fuzz/target.h"

/// `.metadata.json` of a model's folder, as anybody may have changed it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace toolkit;
  const std::string text = fuzz::as_text(data, size);
  return fuzz::expect_no_crash([&] {
    const auto metadata = model_store::parse_metadata(text, "metadata");
    // What was taken is written as what is taken again, under a name that is no path.
    const std::string written = model_store::to_json_text(metadata);
    const auto again = model_store::parse_metadata(written, "again");
    if (again.checksum() != metadata.checksum() || again.name != metadata.name) std::abort();
    const std::string folder = metadata.name.folder_name();
    if (folder.empty() || folder[0] == '.' || folder.find('/') != std::string::npos) std::abort();
  });
}
