#include <set>

#include "core/model_store/ollama/manifest.h"
#include "core/model_store/ollama/sign_in.h"
#include "fuzz/target.h"

/// A manifest from a registry or Ollama's store, a registry's sign-in header and a user's key:
/// whatever manifest is taken has full digests and file names that are safe and unique, and can be
/// written and read again.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace toolkit;
  using namespace toolkit::model_store::ollama;
  const std::string text = fuzz::as_text(data, size);
  parse_challenge(text);
  fuzz::expect_no_crash([&] { parse_signing_key(text, "fuzz"); });
  return fuzz::expect_no_crash([&] {
    const Manifest manifest = parse_manifest(text, "fuzz");
    std::set<std::string> names;
    for (const NamedLayer& named : named_layers(manifest)) {
      if (named.layer->digest.hex.size() != 64 || named.name.find('/') != std::string::npos ||
          !names.insert(named.name).second)
        std::abort();
    }
    const std::string again = to_json_text(manifest);
    if (to_json_text(parse_manifest(again, "again")) != again) std::abort();
  });
}
