#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace toolkit {

/// What kind of failure it is; decides the exit code, the HTTP status and whose turn it is to act.
enum class ErrorKind {
  kUserInput,    // bad argument, file or data: the user can mend it
  kNotFound,     // a named thing does not exist
  kIo,           // disk or permission trouble
  kNetwork,      // the other side did not answer as it should
  kUnsupported,  // understood, but this program cannot do it
  kOutOfMemory,  // would not fit
  kInternal,     // our bug
};

/// The one exception of the toolkit. `what()` names where, what was expected, what was there and
/// the next step.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

/// Throws Error with a formatted message: `fail(ErrorKind::kUserInput, "{}:{}: no 'messages'",
/// file, line)`.
template <class... Args>
[[noreturn]] void fail(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(kind, fmt::format(format, std::forward<Args>(args)...));
}

/// Name for messages and JSON: "user_input", "not_found", ...
const char* error_kind_name(ErrorKind kind);

/// Process exit code: 2 for user input at the command line, 70 for our own bug, 1 otherwise.
int exit_code(ErrorKind kind);

}  // namespace toolkit
