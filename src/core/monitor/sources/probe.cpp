#include <utility>

#include "core/base/error.h"
#include "core/files/safe_path.h"
#include "core/monitor/sources/source.h"

namespace toolkit::monitor {

namespace {

http::ClientSettings quick_settings() {
  return {.user_agent = "mlx-dash",
          .allow_plain_http = true,  // the user named the server; nothing secret is sent
          .connect_timeout = std::chrono::milliseconds(1000),
          .stall_timeout = std::chrono::milliseconds(2000),
          .retry = {.attempts = 1}};
}

}  // namespace

Probe::Probe(std::string url) : url_(std::move(url)), client_(quick_settings()) {}

std::optional<std::string> Probe::text(const std::string& path, std::string& trouble) {
  answered_ = false;
  try {
    const http::Response response = client_.send({.url = http::parse_url(url_ + path),
                                                  .follow_redirects = false,
                                                  .body_limit_bytes = 4 << 20});
    answered_ = true;
    if (response.status == 200) return response.body;
    trouble = path + " answers with status " + std::to_string(response.status);
  } catch (const Error& error) {
    trouble = error.what();
  }
  return std::nullopt;
}

std::optional<Json> Probe::json(const std::string& path, std::string& trouble) {
  const auto body = text(path, trouble);
  if (!body) return std::nullopt;
  try {
    return parse_json(*body, url_ + path, /*max_depth=*/32);
  } catch (const Error&) {
    trouble = path + " does not answer with JSON: " + files::escaped(body->substr(0, 60));
    return std::nullopt;
  }
}

}  // namespace toolkit::monitor
