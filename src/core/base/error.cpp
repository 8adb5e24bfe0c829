#include "core/base/error.h"

namespace toolkit {

const char* error_kind_name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kUserInput:
      return "user_input";
    case ErrorKind::kNotFound:
      return "not_found";
    case ErrorKind::kIo:
      return "io";
    case ErrorKind::kNetwork:
      return "network";
    case ErrorKind::kUnsupported:
      return "unsupported";
    case ErrorKind::kOutOfMemory:
      return "out_of_memory";
    case ErrorKind::kInternal:
      return "internal";
  }
  return "internal";
}

int exit_code(ErrorKind kind) {
  return kind == ErrorKind::kInternal ? 70 : kind == ErrorKind::kUserInput ? 2 : 1;
}

}  // namespace toolkit
