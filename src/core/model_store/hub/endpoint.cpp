#include "core/model_store/hub/endpoint.h"

#include "core/base/error.h"

namespace toolkit::model_store::hub {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

std::string read_token(const Environment&) {
  not_there_yet("read_token");
}

HubRepository read_repository(http::Client&, const Environment&, const HubName&) {
  not_there_yet("read_repository");
}

Offer make_offer(const Environment&, const HubName&, const HubRepository&,
                 const std::vector<std::string>&, const std::vector<std::string>&) {
  not_there_yet("make_offer");
}

HubRepository parse_revision(const std::string&, const std::string&) {
  not_there_yet("parse_revision");
}

std::vector<HubFile> parse_tree_page(const std::string&, const std::string&) {
  not_there_yet("parse_tree_page");
}

std::optional<std::string> next_page(const std::string&) {
  not_there_yet("next_page");
}

}  // namespace toolkit::model_store::hub
