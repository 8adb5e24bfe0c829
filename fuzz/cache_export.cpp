#include "core/model_store/registry/exchange.h"
#include "fuzz/target.h"

/// What `mlx-cache import` is given: a file from another machine or another hand. It is checked
/// whole before anything of it is used; names that it reports are names.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace toolkit;
  static model_store::Registry registry = model_store::Registry::in_memory();
  return fuzz::expect_no_crash([&] {
    const auto report =
        model_store::import_registry(registry, fuzz::as_text(data, size), "fuzz", /*dry_run=*/true);
    for (const model_store::ModelName& name : report.to_add)
      if (model_store::parse_model_name(name.uri()) != name) std::abort();
  });
}
