#include "core/http/testing/loopback_server.h"

#include "core/base/error.h"

namespace toolkit::http::testing {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

struct LoopbackServer::State {};

LoopbackServer::LoopbackServer(std::function<Answer(const Received&)>) {
  not_there_yet("LoopbackServer");
}

LoopbackServer::~LoopbackServer() = default;

std::string LoopbackServer::origin() const {
  not_there_yet("origin");
}

std::vector<Received> LoopbackServer::received() const {
  not_there_yet("received");
}

Answer ranged_answer(const Received&, const std::string&, const std::string&) {
  not_there_yet("ranged_answer");
}

}  // namespace toolkit::http::testing
