#include "core/base/interrupt.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

using toolkit::InterruptGuard;

TEST_SUITE("unit") {
  TEST_CASE("interrupt: the first signal is a request that can be cleared") {
    InterruptGuard guard;
    CHECK(!InterruptGuard::requested());
    ::raise(SIGINT);
    CHECK(InterruptGuard::requested());
    InterruptGuard::clear();
    ::raise(SIGTERM);
    CHECK(InterruptGuard::requested());
    InterruptGuard::clear();
  }

  TEST_CASE("interrupt: the second signal ends the program with 130") {
    const pid_t child = ::fork();
    if (child == 0) {
      InterruptGuard guard;
      ::raise(SIGINT);
      ::raise(SIGINT);
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 130);
  }

  TEST_CASE("interrupt: without a guard the signal keeps its old meaning") {
    struct sigaction before{}, after{};
    ::sigaction(SIGINT, nullptr, &before);
    {
      InterruptGuard outer;
      InterruptGuard inner;
    }
    ::sigaction(SIGINT, nullptr, &after);
    CHECK((before.sa_handler == after.sa_handler));
  }
}
