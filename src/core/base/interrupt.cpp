#include "core/base/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace toolkit {

namespace {

std::atomic<bool> interrupt_requested{false};
std::atomic<int> living_guards{0};
struct sigaction previous_interrupt{}, previous_terminate{};

void on_signal(int) {
  if (interrupt_requested.exchange(true)) ::_exit(130);
}

}  // namespace

static_assert(std::atomic<bool>::is_always_lock_free, "used in a signal handler");

InterruptGuard::InterruptGuard() {
  if (living_guards.fetch_add(1) > 0) return;
  struct sigaction action{};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  // No SA_RESTART: a read from the terminal ends, so that `chat` notices at once.
  ::sigaction(SIGINT, &action, &previous_interrupt);
  ::sigaction(SIGTERM, &action, &previous_terminate);
}

InterruptGuard::~InterruptGuard() {
  if (living_guards.fetch_sub(1) > 1) return;
  ::sigaction(SIGINT, &previous_interrupt, nullptr);
  ::sigaction(SIGTERM, &previous_terminate, nullptr);
}

bool InterruptGuard::requested() {
  return interrupt_requested;
}

void InterruptGuard::clear() {
  interrupt_requested = false;
}

}  // namespace toolkit
