#include <utility>

#include "core/base/error.h"
#include "core/files/safe_path.h"
#include "core/monitor/sources/source.h"

namespace toolkit::monitor {

namespace {

constexpr auto kPatience = std::chrono::milliseconds(2000);

/// What curl says when there was no connection.
bool is_absent(const std::string& trouble) {
  return trouble.find("onnect to server") != trouble.npos ||
         trouble.find("resolve host") != trouble.npos;
}

http::ClientSettings quick_settings() {
  return {.user_agent = "mlx-dash",
          .allow_plain_http = true,  // the user named the server; nothing secret is sent
          .connect_timeout = std::chrono::milliseconds(1000),
          .stall_timeout = kPatience,
          .retry = {.attempts = 1}};
}

}  // namespace

Probe::Probe(std::string url) : url_(std::move(url)), client_(quick_settings()) {}

std::optional<std::string> Probe::text(const std::string& path, std::string& trouble) {
  answered_ = false;
  const auto begin = std::chrono::steady_clock::now();
  try {
    const http::Response response = client_.send({.url = http::parse_url(url_ + path),
                                                  .follow_redirects = false,
                                                  .body_limit_bytes = 4 << 20});
    answered_ = true;
    failure_ = response.status == 200 ? Failure::kNone : Failure::kStatus;
    if (response.status == 200) return response.body;
    trouble = path + " answers with status " + std::to_string(response.status);
  } catch (const Error& error) {
    trouble = error.what();
    const bool is_late = std::chrono::steady_clock::now() - begin >= kPatience;
    failure_ = is_absent(trouble) ? Failure::kAbsent : is_late ? Failure::kSlow : Failure::kForeign;
    if (failure_ == Failure::kForeign) trouble = path + " is not answered in HTTP";
  }
  return std::nullopt;
}

std::optional<Json> Probe::json(const std::string& path, std::string& trouble) {
  const auto body = text(path, trouble);
  if (!body) return std::nullopt;
  try {
    return parse_json(*body, url_ + path, /*max_depth=*/32);
  } catch (const Error&) {
    failure_ = Failure::kForeign;
    trouble = path + " does not answer with JSON: " + files::escaped(body->substr(0, 60));
    return std::nullopt;
  }
}

}  // namespace toolkit::monitor
