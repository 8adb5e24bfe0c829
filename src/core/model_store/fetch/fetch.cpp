#include "core/model_store/fetch/fetch.h"

#include "core/base/error.h"

namespace toolkit::model_store {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

FetchPlan plan_fetch(const Layout&, Registry&, Offer, const FindOnMachine&) {
  not_there_yet("plan_fetch");
}

ModelRecord fetch_model(http::Client&, const Layout&, Registry&, const FetchPlan&,
                        const http::DownloadSettings&, const http::DownloadEvents&) {
  not_there_yet("fetch_model");
}

}  // namespace toolkit::model_store
