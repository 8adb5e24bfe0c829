#include "core/model_store/ollama/server.h"

#include "core/base/error.h"

namespace toolkit::model_store::ollama {

namespace {

[[noreturn]] void not_there_yet(const char* what) {
  fail(ErrorKind::kUnsupported, "{}: not in this version yet", what);
}

}  // namespace

Server::Server(http::Client& client, std::string host_url)
    : client_(client), host_url_(std::move(host_url)) {}

std::optional<std::string> Server::version() {
  not_there_yet("version");
}

std::vector<ServerModel> Server::models() {
  not_there_yet("models");
}

void Server::pull(
    const std::string&,
    const std::function<void(const std::string& status, uint64_t done, uint64_t total)>&) {
  not_there_yet("pull");
}

}  // namespace toolkit::model_store::ollama
