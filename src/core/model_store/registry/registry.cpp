#include "core/model_store/registry/registry.h"

#include "core/base/error.h"

namespace toolkit::model_store {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

Registry Registry::open(const Layout&, store::OpenMode) {
  not_there_yet("open");
}

std::vector<ModelRecord> Registry::models() {
  not_there_yet("models");
}

std::optional<ModelRecord> Registry::find(const ModelName&) {
  not_there_yet("find");
}

ModelRecord Registry::put(const Metadata&, const std::filesystem::path&, bool) {
  not_there_yet("put");
}

void Registry::set_state(const ModelName&, const std::string&) {
  not_there_yet("set_state");
}

void Registry::remove(const ModelName&) {
  not_there_yet("remove");
}

std::vector<std::filesystem::path> Registry::files_with(const std::string&) {
  not_there_yet("files_with");
}

std::vector<AppRecord> Registry::apps() {
  not_there_yet("apps");
}

AppRecord Registry::put_app(const std::string&, const std::filesystem::path&) {
  not_there_yet("put_app");
}

bool Registry::remove_app(const std::filesystem::path&) {
  not_there_yet("remove_app");
}

void Registry::use(const ModelName&, const std::filesystem::path&) {
  not_there_yet("use");
}

void Registry::release(const ModelName&, const std::filesystem::path&) {
  not_there_yet("release");
}

}  // namespace toolkit::model_store
