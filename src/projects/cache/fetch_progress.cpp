#include "projects/cache/fetch_progress.h"

#include "core/base/error.h"

namespace toolkit::cache {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

struct FetchProgress::State {};

FetchProgress::FetchProgress(const model_store::FetchPlan&, bool) {
  not_there_yet("FetchProgress");
}

FetchProgress::~FetchProgress() = default;

http::DownloadEvents FetchProgress::events() {
  not_there_yet("events");
}

}  // namespace toolkit::cache
