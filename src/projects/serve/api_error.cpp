#include "projects/serve/api_error.h"

#include "core/base/json.h"
#include "core/base/log.h"

namespace toolkit::serve {

namespace {

int status_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kUserInput:
    case ErrorKind::kUnsupported:
      return 400;
    case ErrorKind::kNotFound:
      return 404;
    case ErrorKind::kNetwork:
      return 502;
    case ErrorKind::kOutOfMemory:
      return 507;
    case ErrorKind::kIo:
    case ErrorKind::kInternal:
      return 500;
  }
  return 500;
}

const char* type_of(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 429:
      return "rate_limit_error";
  }
  return status < 500 ? "invalid_request_error" : "server_error";
}

std::string dumped(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

ApiError api_error_of(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const ApiError& error) {
    return error;
  } catch (const Error& error) {
    return ApiError(status_of(error.kind()), error.what());
  } catch (const std::exception& error) {
    log_error("a request failed: {}", error.what());
    return ApiError(500, error.what());
  }
}

std::string openai_error_json(const ApiError& error) {
  return dumped({{"error",
                  {{"message", error.what()},
                   {"type", type_of(error.status)},
                   {"param", error.param.empty() ? Json() : Json(error.param)},
                   {"code", error.code.empty() ? Json() : Json(error.code)}}}});
}

std::string ollama_error_json(const ApiError& error) {
  return dumped({{"error", error.what()}});
}

http::server::Response error_response(const std::string& path, const ApiError& error) {
  http::server::Response response{.status = error.status};
  response.body = path.starts_with("/api/") ? ollama_error_json(error) : openai_error_json(error);
  constexpr int kRetryAfterSeconds = 5;  // where nobody knows better
  if (error.retry_after_seconds > 0 || error.status == 429 || error.status == 503)
    response.headers.push_back(
        {"Retry-After", std::to_string(error.retry_after_seconds > 0 ? error.retry_after_seconds
                                                                     : kRetryAfterSeconds)});
  return response;
}

}  // namespace toolkit::serve
