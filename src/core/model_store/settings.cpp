#include "core/model_store/settings.h"

#include "core/base/error.h"

namespace toolkit::model_store {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

Fields describe(Settings&) {
  not_there_yet("describe");
}

Settings load_settings() {
  not_there_yet("load_settings");
}

std::vector<std::pair<std::string, std::string>> setting_origins() {
  not_there_yet("setting_origins");
}

void save_setting(const std::string&, const std::vector<std::string>&) {
  not_there_yet("save_setting");
}

Environment read_environment() {
  not_there_yet("read_environment");
}

}  // namespace toolkit::model_store
