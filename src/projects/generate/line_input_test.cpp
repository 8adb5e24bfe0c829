#include "projects/generate/line_input.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <thread>

#include "core/base/interrupt.h"

namespace toolkit::generate {

TEST_SUITE("unit") {
  TEST_CASE("lines, with and without line ends") {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const std::string text = "one\r\n\ntwo\nlast";
    REQUIRE(::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    ::close(ends[1]);
    LineInput input(ends[0]);
    std::string line;
    for (const char* expected : {"one", "", "two", "last"}) {
      CHECK(input.next(line) == LineInput::Event::kLine);
      CHECK(line == expected);
    }
    CHECK(input.next(line) == LineInput::Event::kEnd);
    CHECK(input.next(line) == LineInput::Event::kEnd);
    ::close(ends[0]);
  }

  TEST_CASE("Ctrl-C while waiting is noticed") {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const InterruptGuard guard;
    InterruptGuard::clear();
    const pthread_t reader = ::pthread_self();
    std::thread presser([&] {
      ::usleep(50000);
      ::pthread_kill(reader, SIGINT);
    });
    LineInput input(ends[0]);
    std::string line;
    CHECK(input.next(line) == LineInput::Event::kInterrupted);
    CHECK(InterruptGuard::requested());
    InterruptGuard::clear();
    presser.join();
    ::close(ends[0]);
    ::close(ends[1]);
  }
}

}  // namespace toolkit::generate
