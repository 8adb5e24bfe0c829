#include "core/files/safe_path.h"
#include "core/model_store/hub/endpoint.h"
#include "core/model_store/hub/tree_file.h"
#include "fuzz/target.h"

/// What a hub answers and what lies in its cache folder: a revision, a page of files, a Link
/// header, trees/<commit>.json. What an offer is made of has safe, different names and full
/// digests.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace toolkit;
  using namespace toolkit::model_store;
  const std::string text = fuzz::as_text(data, size);
  hub::next_page(text);
  fuzz::expect_no_crash([&] {
    for (const auto& [path, entry] : hub::parse_tree_file(text, "fuzz"))
      if (entry.digest.hex.size() != 40 && entry.digest.hex.size() != 64) std::abort();
  });
  fuzz::expect_no_crash([&] {
    if (hub::parse_revision(text, "fuzz").commit.size() != 40) std::abort();
  });
  return fuzz::expect_no_crash([&] {
    Environment environment;
    environment.hub_endpoint = "https://huggingface.co";
    HubName name;
    name.repository = "org/model";
    const hub::HubRepository repository{"org/model", std::string(40, 'a'),
                                        hub::parse_tree_page(text, "fuzz")};
    for (const OfferedFile& file : hub::make_offer(environment, name, repository, {}, {}).files)
      if (!files::why_unsafe_path(file.name).empty()) std::abort();
  });
}
