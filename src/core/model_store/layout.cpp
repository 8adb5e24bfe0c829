#include "core/model_store/layout.h"

#include "core/base/error.h"

namespace toolkit::model_store {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

Layout default_layout() {
  not_there_yet("default_layout");
}

void create_store(const Layout&) {
  not_there_yet("create_store");
}

bool store_is_there(const Layout&) {
  not_there_yet("store_is_there");
}

files::FileLock lock_store(const Layout&, files::LockMode, const std::string&) {
  not_there_yet("lock_store");
}

files::FileLock lock_model(const Layout&, const ModelName&, const std::string&) {
  not_there_yet("lock_model");
}

files::FileLock lock_blob(const Layout&, const std::string&, const std::string&) {
  not_there_yet("lock_blob");
}

}  // namespace toolkit::model_store
