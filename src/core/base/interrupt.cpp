#include "core/base/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace toolkit {

namespace {

std::atomic<bool> interrupt_requested{false};
std::atomic<int> living_guards{0};
struct sigaction previous_interrupt{}, previous_terminate{};

// Read by the handler, so set before it is installed and never while it is.
std::string last_words;
struct sigaction unguarded_interrupt{}, unguarded_terminate{};

void on_unguarded_signal(int) {
  [[maybe_unused]] const auto written =
      ::write(STDOUT_FILENO, last_words.data(), last_words.size());
  ::_exit(130);
}

void end_on(int signal, struct sigaction& previous) {
  struct sigaction action{};
  action.sa_handler = on_unguarded_signal;
  sigemptyset(&action.sa_mask);
  ::sigaction(signal, nullptr, &previous);
  if (previous.sa_handler != SIG_IGN) ::sigaction(signal, &action, nullptr);
}

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

EndOnInterrupt::EndOnInterrupt(const std::string& words) {
  last_words = words;
  end_on(SIGINT, unguarded_interrupt);
  end_on(SIGTERM, unguarded_terminate);
}

EndOnInterrupt::~EndOnInterrupt() {
  ::sigaction(SIGINT, &unguarded_interrupt, nullptr);
  ::sigaction(SIGTERM, &unguarded_terminate, nullptr);
}

bool InterruptGuard::requested() {
  return interrupt_requested;
}

void InterruptGuard::clear() {
  interrupt_requested = false;
}

}  // namespace toolkit
