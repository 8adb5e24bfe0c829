#include "projects/cache/fetch_progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <set>

#include "core/files/disk_space.h"
#include "core/files/safe_path.h"
#include "projects/cache/transfer_lines.h"

namespace toolkit::cache {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kRedraw{100};
constexpr std::chrono::seconds kLine{10};
constexpr size_t kMostLines = 8;  // of files; more than that is only in the total

int terminal_width() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col - 1 : 79;
}

struct FileState {
  std::string label;
  uint64_t done = 0, total = 0;
  TransferRate rate;
};

}  // namespace

struct FetchProgress::State {
  bool quiet = false, terminal = false;
  std::map<size_t, FileState> files;  // what is to be downloaded, by index in the offer
  std::set<size_t> active;
  uint64_t total = 0, done = 0;
  uint64_t resumed = 0;  // of `done`: was there before
  TransferRate rate;     // of done - resumed
  int lines_drawn = 0;
  int label_width = 10;
  Clock::time_point started = Clock::now(), drawn{}, told = Clock::now();

  double seconds() const { return std::chrono::duration<double>(Clock::now() - started).count(); }

  TransferLine total_line() const {
    const size_t open = static_cast<size_t>(std::count_if(
        files.begin(), files.end(), [](const auto& f) { return f.second.done < f.second.total; }));
    return {files.size() == 1 ? "total" : fmt::format("total, {} left", open), done, total,
            rate.bytes_per_second()};
  }

  void erase() {
    if (lines_drawn > 0) std::fprintf(stderr, "\x1b[%dA\r\x1b[J", lines_drawn);
    lines_drawn = 0;
  }

  void draw() {
    drawn = Clock::now();
    const int width = terminal_width();
    std::string text;
    int lines = 0;
    for (const size_t index : active) {
      if (static_cast<size_t>(lines) == kMostLines) break;
      const FileState& file = files.at(index);
      text += transfer_bar({file.label, file.done, file.total, file.rate.bytes_per_second()}, width,
                           std::min(label_width, width / 3)) +
              "\n";
      ++lines;
    }
    text += transfer_bar(total_line(), width, std::min(label_width, width / 3)) + "\n";
    erase();
    std::fputs(text.c_str(), stderr);
    std::fflush(stderr);
    lines_drawn = lines + 1;
  }

  void start(size_t index, uint64_t resumed_bytes) {
    FileState& file = files.at(index);
    active.insert(index);
    done = done - file.done + resumed_bytes;
    file.done = resumed_bytes;
    resumed += resumed_bytes;
    file.rate.restart(seconds(), resumed_bytes);
    if (resumed_bytes > 0 && resumed_bytes < file.total)
      note(fmt::format("{}: goes on after {}", file.label, files::shown_bytes(resumed_bytes)));
  }

  void set(size_t index, uint64_t bytes) {
    FileState& file = files.at(index);
    done = done - file.done + bytes;
    file.done = bytes;
    file.rate.note(seconds(), bytes);
    rate.note(seconds(), done - std::min(done, resumed));
    show();
  }

  void show() {
    if (quiet) return;
    const auto now = Clock::now();
    if (terminal && now - drawn >= kRedraw) draw();
    if (!terminal && now - told >= kLine) {
      told = now;
      std::fprintf(stderr, "%s\n", transfer_text(total_line()).c_str());
    }
  }

  void note(const std::string& text) {
    if (quiet) return;
    if (terminal) erase();
    std::fprintf(stderr, "%s\n", files::escaped(text).c_str());
    if (terminal) draw();
  }
};

FetchProgress::FetchProgress(const model_store::FetchPlan& plan, bool quiet)
    : state_(std::make_unique<State>()) {
  state_->quiet = quiet;
  state_->terminal = ::isatty(STDERR_FILENO) != 0;
  std::set<std::string> contents;
  for (const size_t index : plan.download) {
    const model_store::OfferedFile& file = plan.offer.files[index];
    if (!contents.insert(file.digest.hex).second) continue;  // comes once
    state_->files[index] = {.label = file.name, .total = file.size_bytes};
    state_->total += file.size_bytes;
    state_->label_width =
        std::clamp<int>(static_cast<int>(file.name.size()), state_->label_width, 34);
  }
}

FetchProgress::~FetchProgress() {
  if (!state_->quiet && state_->terminal) state_->erase();
}

http::DownloadEvents FetchProgress::events() {
  State* state = state_.get();
  const auto known = [state](size_t file) { return state->files.contains(file); };
  return {.progress =
              [state, known](size_t file, uint64_t done) {
                if (known(file)) state->set(file, done);
              },
          .started =
              [state, known](size_t file, uint64_t resumed) {
                if (known(file)) state->start(file, resumed);
              },
          .verified =
              [state](size_t file) {
                state->active.erase(file);
                state->show();
              },
          .note = [state](const std::string& text) { state->note(text); }};
}

uint64_t FetchProgress::fetched_bytes() const {
  return state_->done - std::min(state_->done, state_->resumed);
}

}  // namespace toolkit::cache
