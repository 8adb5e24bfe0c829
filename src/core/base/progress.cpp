#include "core/base/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "core/base/progress_line.h"

namespace toolkit {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kRedraw{100};
constexpr std::chrono::seconds kLine{10};

int terminal_width() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 10 ? size.ws_col - 1 : 79;
}

}  // namespace

struct Progress::State {
  ProgressState shown;
  bool quiet = false, terminal = false, ended = false;
  Clock::time_point started = Clock::now();
  Clock::time_point drawn = Clock::now();

  void draw(bool last) {
    drawn = Clock::now();
    shown.seconds = std::chrono::duration<double>(drawn - started).count();
    if (terminal)
      std::fprintf(stderr, "\r%s\x1b[K%s", progress_bar_line(shown, terminal_width()).c_str(),
                   last ? "\n" : "");
    else
      std::fprintf(stderr, "%s\n", progress_text_line(shown).c_str());
    std::fflush(stderr);
  }
};

Progress::Progress(std::string label, int64_t total, bool quiet)
    : state_(std::make_unique<State>()) {
  state_->shown.label = std::move(label);
  state_->shown.total = total;
  state_->quiet = quiet;
  state_->terminal = ::isatty(STDERR_FILENO) != 0;
  if (!quiet && state_->terminal) state_->draw(false);
}

Progress::~Progress() {
  // Left by an exception: close the half-drawn line so that the error stands on its own.
  if (!state_->ended && !state_->quiet && state_->terminal) std::fputc('\n', stderr);
}

void Progress::update(int64_t done, const std::string& note) {
  state_->shown.done = done;
  state_->shown.note = note;
  if (state_->quiet || state_->ended) return;
  const auto waited = Clock::now() - state_->drawn;
  if (state_->terminal ? waited >= kRedraw : waited >= kLine) state_->draw(false);
}

void Progress::finish(const std::string& note) {
  if (state_->ended) return;
  state_->ended = true;
  if (!note.empty()) state_->shown.note = note;
  if (!state_->quiet) state_->draw(true);
}

}  // namespace toolkit
