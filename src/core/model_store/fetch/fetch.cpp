#include "core/model_store/fetch/fetch.h"

#include <sys/stat.h>

#include <algorithm>
#include <map>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/files/disk_space.h"
#include "core/files/folder.h"
#include "core/files/identity.h"
#include "core/hash/hasher.h"
#include "core/model_store/fetch/publish_folder.h"
#include "core/model_store/utc_time.h"

namespace toolkit::model_store {

namespace fs = std::filesystem;

namespace {

/// Locks held at once: a descriptor each, and a model may have ten thousand files.
constexpr size_t kBatch = 128;

/// One `fetch_model` under the model's lock.
class Fetch {
 public:
  Fetch(http::Client& client, const Layout& layout, Registry& registry, const FetchPlan& plan,
        const http::DownloadSettings& settings, const http::DownloadEvents& events)
      : client_(client),
        layout_(layout),
        registry_(registry),
        plan_(plan),
        settings_(settings),
        events_(events),
        offer_(plan.offer),
        making_(folder_in_the_making(layout, plan.offer.name)) {}

  ModelRecord run() {
    const std::string purpose = "adding " + offer_.name.uri();
    const files::FileLock lock = lock_model(layout_, offer_.name, purpose);
    recover_folder(layout_, offer_.name);
    // Another process may have done it all, or some of it, while we waited.
    const FetchPlan now = plan_fetch(layout_, registry_, offer_,
                                     [&](const OfferedFile& file) { return planned_copy(file); });
    if (now.complete) {
      drop_parts();
      return put_row(*read_metadata(layout_.model_folder(offer_.name)));
    }
    files::require_disk_space(layout_.root, now.disk_bytes);
    const files::Folder models = files::Folder::open(layout_.models());
    files::Folder folder = models.subfolder(making_.filename().string(), true);
    for (const size_t index : now.present) keep(folder, index);
    for (size_t i = 0; i < now.shared.size(); ++i) share(folder, now.shared[i], now.shared_from[i]);
    download_all(folder, now, purpose);
    return publish();
  }

 private:
  /// The copy that the plan found, unless it changed or went since.
  std::optional<FoundCopy> planned_copy(const OfferedFile& file) const {
    for (size_t i = 0; i < plan_.shared.size(); ++i) {
      if (plan_.offer.files[plan_.shared[i]].digest != file.digest) continue;
      const auto there = files::resolved_identity(plan_.shared_from[i].path);
      if (there && there->size_bytes == file.size_bytes) return plan_.shared_from[i];
    }
    return std::nullopt;
  }

  fs::path part_of(const OfferedFile& file) const {
    return layout_.incoming() / (file.digest.hex + ".part");
  }

  /// The place of a file in the folder in the making; the folders above it are made.
  fs::path place(const files::Folder& folder, const OfferedFile& file) const {
    const size_t slash = file.name.rfind('/');
    if (slash != std::string::npos) folder.subfolder(file.name.substr(0, slash), true);
    return making_ / file.name;
  }

  void keep(const files::Folder& folder, size_t index) {
    const OfferedFile& file = offer_.files[index];
    files::make_link(layout_.model_folder(offer_.name) / file.name, place(folder, file),
                     {files::LinkKind::kHardLink, files::LinkKind::kClone, files::LinkKind::kCopy});
  }

  void share(const files::Folder& folder, size_t index, const FoundCopy& copy) {
    const OfferedFile& file = offer_.files[index];
    files::LinkPolicy policy = copy.policy;
    policy.push_back(files::LinkKind::kCopy);
    const fs::path target = place(folder, file);
    const auto outcome = files::make_link(fs::canonical(copy.path), target, policy);
    log_info("{}: {} of {}{}{}", file.name, files::link_kind_name(outcome.kind), copy.path.string(),
             outcome.reason.empty() ? "" : ", ", outcome.reason);
    // A copy is a new reading of a file that others may write to meanwhile.
    const bool new_bytes = outcome.kind == files::LinkKind::kCopy;
    const auto made = files::identity_of(target);
    if (!made || made->size_bytes != file.size_bytes ||
        (new_bytes && hash::hash_file(target, file.digest.algorithm) != file.digest))
      fail(ErrorKind::kIo, "{}: changed while it was added; run the same command again",
           copy.path.string());
    if (outcome.kind != files::LinkKind::kHardLink) make_read_only(target);
  }

  static void make_read_only(const fs::path& path) {
    // Where modes mean nothing (exFAT) the file stays as it is.
    ::chmod(path.c_str(), 0444);
  }

  void download_all(const files::Folder& folder, const FetchPlan& now, const std::string& purpose) {
    std::map<std::string, std::vector<size_t>> by_content;  // in the order of all processes
    for (const size_t index : now.download)
      by_content[offer_.files[index].digest.hex].push_back(index);
    std::vector<std::vector<size_t>> contents;
    for (auto& [hex, indices] : by_content) contents.push_back(std::move(indices));
    for (size_t begin = 0; begin < contents.size(); begin += kBatch) {
      const size_t end = std::min(contents.size(), begin + kBatch);
      download_batch(folder,
                     {contents.begin() + static_cast<std::ptrdiff_t>(begin),
                      contents.begin() + static_cast<std::ptrdiff_t>(end)},
                     purpose);
    }
  }

  void download_batch(const files::Folder& folder, const std::vector<std::vector<size_t>>& contents,
                      const std::string& purpose) {
    locks_.clear();
    std::vector<http::FileDownload> downloads;
    std::vector<size_t> asked;  // beside `downloads`: index in the offer
    for (const std::vector<size_t>& indices : contents) {
      const OfferedFile& file = offer_.files[indices.front()];
      locks_.push_back(lock_blob(layout_, file.digest.hex, purpose));
      if (const auto path = kept_by_another_model(file)) {
        for (const size_t index : indices)
          share(folder, index, {*path, {files::LinkKind::kHardLink, files::LinkKind::kClone}});
        continue;
      }
      downloads.push_back({.label = file.name,
                           .request = file.request,
                           .size_bytes = file.size_bytes,
                           .digest = file.digest,
                           .part = part_of(file)});
      asked.push_back(indices.front());
    }
    http::download_files(client_, downloads, settings_, events_for(asked));
    for (const std::vector<size_t>& indices : contents)
      for (const size_t index : indices) take_part(folder, offer_.files[index]);
  }

  /// Events with indices of the offer.
  http::DownloadEvents events_for(const std::vector<size_t>& asked) const {
    http::DownloadEvents mapped{.note = events_.note};
    if (events_.progress)
      mapped.progress = [&, asked](size_t i, uint64_t done) { events_.progress(asked[i], done); };
    if (events_.started)
      mapped.started = [&, asked](size_t i, uint64_t bytes) { events_.started(asked[i], bytes); };
    if (events_.verified) mapped.verified = [&, asked](size_t i) { events_.verified(asked[i]); };
    return mapped;
  }

  /// What another process finished while we waited for its lock.
  std::optional<fs::path> kept_by_another_model(const OfferedFile& file) {
    if (file.digest.algorithm != hash::Algorithm::kSha256) return std::nullopt;
    for (const fs::path& path : registry_.files_with(file.digest.hex)) {
      const auto there = files::identity_of(path);
      if (there && there->kind == files::FileKind::kFile && there->size_bytes == file.size_bytes)
        return path;
    }
    return std::nullopt;
  }

  void take_part(const files::Folder& folder, const OfferedFile& file) {
    const fs::path target = place(folder, file);
    if (files::identity_of(target)) return;  // shared above
    files::make_link(part_of(file), target,
                     {files::LinkKind::kHardLink, files::LinkKind::kClone, files::LinkKind::kCopy});
    make_read_only(target);
  }

  FileRecord record_of(const OfferedFile& file) const {
    FileRecord record{.name = file.name, .size_bytes = file.size_bytes, .digest = file.digest};
    record.sha256 = file.digest.algorithm == hash::Algorithm::kSha256
                        ? file.digest.hex
                        : hash::hash_file(making_ / file.name, hash::Algorithm::kSha256).hex;
    return record;
  }

  ModelRecord publish() {
    Metadata metadata{.name = offer_.name,
                      .revision = offer_.revision,
                      .downloaded_at = utc_text(now_s()),
                      .endpoint = offer_.endpoint,
                      .partial = offer_.partial};
    for (const OfferedFile& file : offer_.files) metadata.files.push_back(record_of(file));
    write_metadata(making_, metadata);
    publish_folder(layout_, offer_.name);
    const ModelRecord row = put_row(metadata);
    locks_.clear();
    drop_parts();
    return row;
  }

  ModelRecord put_row(const Metadata& metadata) {
    return registry_.put(metadata, layout_.model_folder(offer_.name), false);
  }

  /// The content has its name in models/ now. A part that another process works on is its own.
  void drop_parts() {
    for (const OfferedFile& file : offer_.files) {
      const fs::path part = part_of(file);
      if (!files::identity_of(part)) continue;
      const auto lock = files::FileLock::try_take(layout_.locks() / ("blob-" + file.digest.hex),
                                                  files::LockMode::kExclusive, "tidying up");
      if (lock.held()) http::remove_part(part);
    }
  }

  http::Client& client_;
  const Layout& layout_;
  Registry& registry_;
  const FetchPlan& plan_;
  const http::DownloadSettings& settings_;
  const http::DownloadEvents& events_;
  const Offer& offer_;
  fs::path making_;
  std::vector<files::FileLock>
      locks_;  // of the content at work; the last ones until the row stands
};

}  // namespace

ModelRecord fetch_model(http::Client& client, const Layout& layout, Registry& registry,
                        const FetchPlan& plan, const http::DownloadSettings& settings,
                        const http::DownloadEvents& events) {
  return Fetch(client, layout, registry, plan, settings, events).run();
}

}  // namespace toolkit::model_store
