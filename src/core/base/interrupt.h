#pragma once

#include <string>

namespace toolkit {

/// Ctrl-C as a request instead of an end. While one lives, the first SIGINT or SIGTERM sets
/// `requested()`; a second one ends the program at once with code 130.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  static bool requested();
  static void clear();
};

/// While it lives, SIGINT or SIGTERM outside of every InterruptGuard writes `last_words` to stdout
/// and ends the program at once with code 130. A signal that was ignored stays so. One at a time.
class EndOnInterrupt {
 public:
  explicit EndOnInterrupt(const std::string& last_words);
  ~EndOnInterrupt();
  EndOnInterrupt(const EndOnInterrupt&) = delete;
  EndOnInterrupt& operator=(const EndOnInterrupt&) = delete;
};

}  // namespace toolkit
