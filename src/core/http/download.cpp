#include "core/http/download.h"

#include <algorithm>
#include <memory>
#include <system_error>

#include "core/base/error.h"
#include "core/http/client_state.h"
#include "core/http/file_transfer.h"
#include "core/http/part_file.h"

namespace toolkit::http {

namespace {

using Clock = FileTransfer::Clock;
constexpr std::chrono::milliseconds kTick{100};

/// A file at work, and what was told of it.
struct Active {
  size_t index = 0;
  std::unique_ptr<FileTransfer> transfer;
  uint64_t told_bytes = UINT64_MAX;
};

class Download {
 public:
  Download(ClientState& client, const std::vector<FileDownload>& wanted,
           const DownloadSettings& settings, const DownloadEvents& events)
      : client_(client), wanted_(wanted), settings_(settings), events_(events) {}

  void run() {
    while (verified_ < wanted_.size()) {
      check_interrupt();
      start_files();
      const Clock::time_point now = Clock::now();
      for (Active& file : active_) file.transfer->advance(now);
      share_rate();
      finish_files();
      tell_progress(now);
      if (verified_ < wanted_.size()) client_.loop.run(patience(now));
    }
  }

 private:
  void start_files() {
    while (next_ < wanted_.size() &&
           active_.size() < static_cast<size_t>(std::max(settings_.files_at_once, 1))) {
      const size_t index = next_++;
      const auto note = [this](const std::string& text) {
        if (events_.note)
          events_.note(text);
        else if (client_.settings.on_retry)
          client_.settings.on_retry(text);
      };
      active_.push_back(
          {index, std::make_unique<FileTransfer>(client_, wanted_[index], settings_, note)});
      if (events_.started) events_.started(index, active_.back().transfer->resumed_bytes());
    }
  }

  void finish_files() {
    for (Active& file : active_) {
      if (!file.transfer->verified()) continue;
      if (events_.progress) events_.progress(file.index, wanted_[file.index].size_bytes);
      if (events_.verified) events_.verified(file.index);
      ++verified_;
    }
    std::erase_if(active_, [](const Active& file) { return file.transfer->verified(); });
  }

  void share_rate() {
    if (settings_.bytes_per_second == 0) return;
    int connections = 0;
    for (const Active& file : active_) connections += file.transfer->connections();
    if (connections == shared_by_ || connections == 0) return;
    shared_by_ = connections;
    for (Active& file : active_)
      file.transfer->limit_rate(
          std::max<uint64_t>(settings_.bytes_per_second / static_cast<uint64_t>(connections), 1));
  }

  void tell_progress(Clock::time_point now) {
    if (!events_.progress || now - told_ < kTick) return;
    told_ = now;
    for (Active& file : active_) {
      const uint64_t done = file.transfer->done_bytes();
      if (done == file.told_bytes) continue;
      file.told_bytes = done;
      events_.progress(file.index, done);
    }
  }

  std::chrono::milliseconds patience(Clock::time_point now) const {
    auto shortest = kTick;
    for (const Active& file : active_)
      if (const auto due = file.transfer->next_due())
        shortest =
            std::min(shortest, std::chrono::duration_cast<std::chrono::milliseconds>(*due - now));
    return std::max(shortest, std::chrono::milliseconds(1));
  }

  ClientState& client_;
  const std::vector<FileDownload>& wanted_;
  const DownloadSettings& settings_;
  const DownloadEvents& events_;
  std::vector<Active> active_;
  size_t next_ = 0, verified_ = 0;
  int shared_by_ = 0;
  Clock::time_point told_{};
};

}  // namespace

void download_files(Client& client, const std::vector<FileDownload>& downloads,
                    const DownloadSettings& settings, const DownloadEvents& events) {
  Download(ClientAccess::state(client), downloads, settings, events).run();
}

uint64_t missing_bytes(const FileDownload& download) {
  return download.size_bytes -
         PartFile::done_bytes_of(download.part, download.size_bytes, download.digest);
}

void remove_part(const std::filesystem::path& part) {
  std::error_code absent;
  std::filesystem::remove(part, absent);
  std::filesystem::remove(part.string() + ".state", absent);
}

}  // namespace toolkit::http
