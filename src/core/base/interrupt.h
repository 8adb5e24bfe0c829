#pragma once

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

}  // namespace toolkit
