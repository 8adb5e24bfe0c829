#include "core/model_store/name.h"

#include <cstdlib>

#include "core/http/url.h"
#include "fuzz/target.h"

/// A model's name as a person, an app's settings or a list gives it, and a server's address and
/// redirect. A name that is taken is a name again in each of its spellings, and its folder leads
/// back to it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace toolkit;
  const std::string text = fuzz::as_text(data, size);
  fuzz::expect_no_crash([&] {
    const http::Url url = http::parse_url(text);
    if (http::parse_url(url.text()).text() != url.text()) std::abort();
  });
  fuzz::expect_no_crash(
      [&] { http::resolve_redirect(http::parse_url("https://huggingface.co/a/b?c"), text); });
  model_store::model_name_from_folder(text);
  return fuzz::expect_no_crash([&] {
    const model_store::ModelName name = model_store::parse_model_name(text);
    if (model_store::parse_model_name(name.uri()) != name) std::abort();
    const std::string folder = name.folder_name();
    if (folder.empty() || folder[0] == '.' || folder.find('/') != std::string::npos ||
        folder.size() > 200)
      std::abort();
    const bool whole = name.source != model_store::Source::kLocal && !folder.ends_with('~');
    if (whole && model_store::model_name_from_folder(folder) != name) std::abort();
    if (whole && model_store::model_name_from_identifier(name.identifier) != name) std::abort();
  });
}
