#include "core/http/url.h"

#include "core/base/error.h"

namespace toolkit::http {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

std::string Url::text() const {
  not_there_yet("text");
}

Url parse_url(std::string_view) {
  not_there_yet("parse_url");
}

Url resolve_redirect(const Url&, std::string_view) {
  not_there_yet("resolve_redirect");
}

bool same_origin(const Url&, const Url&) {
  not_there_yet("same_origin");
}

bool is_loopback(const Url&) {
  not_there_yet("is_loopback");
}

std::string encoded_part(std::string_view) {
  not_there_yet("encoded_part");
}

std::string shown_url(const Url&) {
  not_there_yet("shown_url");
}

}  // namespace toolkit::http
