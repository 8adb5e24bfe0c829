#pragma once

#include <exception>
#include <stdexcept>
#include <string>

#include "core/base/error.h"
#include "core/http/server/response.h"

namespace toolkit::serve {

/// What a request is refused with, told in the form of the API it used.
struct ApiError : std::runtime_error {
  explicit ApiError(int status_code, const std::string& message, std::string parameter = "",
                    std::string error_code = "")
      : std::runtime_error(message),
        status(status_code),
        param(std::move(parameter)),
        code(std::move(error_code)) {}
  int status;
  std::string param, code;      // OpenAI's: the member that is wrong; "model_not_found"
  int retry_after_seconds = 0;  // 0: a few where the status is 429 or 503
};

/// Any exception as one: 400 for what the user can mend, 404, 507 for what does not fit, 500.
ApiError api_error_of(const std::exception_ptr& exception);

/// {"error": {"message", "type", "param", "code"}}
std::string openai_error_json(const ApiError& error);
/// {"error": "message"}
std::string ollama_error_json(const ApiError& error);

/// In the form that the API of this path has.
http::server::Response error_response(const std::string& path, const ApiError& error);

}  // namespace toolkit::serve
