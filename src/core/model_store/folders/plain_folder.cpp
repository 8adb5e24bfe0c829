#include "core/model_store/folders/plain_folder.h"

#include "core/base/error.h"

namespace toolkit::model_store {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

bool is_weight_file(const std::filesystem::path&) {
  not_there_yet("is_weight_file");
}

Inventory read_plain_folder(const std::filesystem::path&) {
  not_there_yet("read_plain_folder");
}

Offer make_local_offer(const std::filesystem::path&,
                       const std::function<void(uint64_t done, uint64_t total)>&) {
  not_there_yet("make_local_offer");
}

}  // namespace toolkit::model_store
