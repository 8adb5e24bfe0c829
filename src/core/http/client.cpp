#include "core/http/client.h"

#include "core/base/error.h"

namespace toolkit::http {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

struct Client::State {};

std::optional<std::string> Response::header(std::string_view) const {
  not_there_yet("header");
}

bool is_retryable(int) {
  not_there_yet("is_retryable");
}

std::chrono::milliseconds retry_delay(const RetryRules&, int, double,
                                      std::optional<std::chrono::seconds>) {
  not_there_yet("retry_delay");
}

Client::Client(ClientSettings) {
  not_there_yet("Client");
}

Client::~Client() = default;

Response Client::send(const Request&) {
  not_there_yet("send");
}

Response Client::send_lines(const Request&, const std::function<bool(std::string_view)>&) {
  not_there_yet("send_lines");
}

const ClientSettings& Client::settings() const {
  not_there_yet("settings");
}

}  // namespace toolkit::http
