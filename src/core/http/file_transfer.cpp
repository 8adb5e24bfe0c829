#include "core/http/file_transfer.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/log.h"

namespace toolkit::http {

namespace {

/// After that many bytes a connection counts as one that works: its failures are forgotten.
constexpr uint64_t kWorkingBytes = 1 << 20;
/// A server may answer with less than was asked for, but not so little that it never ends.
constexpr uint64_t kSmallAnswer = 64 << 10;

using Kind = RangeVerdict::Kind;

std::string origin_of(const Url& url) {
  return fmt::format("{}://{}:{}", url.scheme, url.host, url.port);
}

const char* algorithm_name(hash::Algorithm algorithm) {
  return algorithm == hash::Algorithm::kSha256 ? "sha256" : "git blob sha1";
}

}  // namespace

FileTransfer::FileTransfer(ClientState& client, const FileDownload& wanted,
                           const DownloadSettings& settings,
                           std::function<void(const std::string&)> note)
    : client_(client),
      wanted_(wanted),
      settings_(settings),
      note_(std::move(note)),
      part_(wanted.part, wanted.size_bytes, wanted.digest, range_bytes()) {
  if (part_.was_other())
    tell("other", "what was fetched before is of another version: from the beginning");
  resumed_bytes_ = part_.done_bytes();
  start_hasher();
}

FileTransfer::~FileTransfer() {
  for (const auto& lane : lanes_)
    if (lane->exchange) client_.loop.remove(*lane->exchange);
}

uint64_t FileTransfer::range_bytes() const {
  const bool several = !whole_only_ && settings_.ranges_per_file > 1 &&
                       wanted_.size_bytes > 2 * settings_.smallest_range_bytes;
  return several ? settings_.smallest_range_bytes : wanted_.size_bytes;
}

void FileTransfer::start_hasher() {
  hasher_ = std::make_unique<PartHasher>(part_.descriptor(), part_.path(), wanted_.size_bytes,
                                         wanted_.digest.algorithm, [this] { client_.loop.wake(); });
  hasher_->grow(part_.prefix_bytes());
}

void FileTransfer::tell(const std::string& key, const std::string& text) {
  if (key == last_note_) return;
  last_note_ = key;
  const std::string line = wanted_.label + ": " + text;
  log_warning("{}", line);
  if (note_) note_(line);
}

RangeRequest FileTransfer::asked(const Lane& lane) const {
  const PartRange& range = part_.ranges().at(lane.range);
  RangeRequest request{.begin = range.begin + range.done,
                       .end = range.end,
                       .size = wanted_.size_bytes,
                       .only_range = part_.ranges().size() == 1};
  if (part_.etag_origin() == origin_of(lane.route.url)) request.etag = part_.etag();
  return request;
}

void FileTransfer::begin_attempt(Lane& lane) {
  lane.route = start_route(wanted_.request, client_.settings);
  begin_exchange(lane);
}

void FileTransfer::begin_exchange(Lane& lane) {
  const RangeRequest range = asked(lane);
  std::vector<Header> headers;
  if (range.begin > 0 || range.end < range.size) {
    headers.push_back({"Range", fmt::format("bytes={}-{}", range.begin, range.end - 1)});
    // A weak ETag may name other bytes: RFC 9110, 13.1.5.
    if (range.etag.starts_with('"')) headers.push_back({"If-Range", range.etag});
  }
  lane.verdict = {};
  lane.exchange = std::make_unique<Exchange>(client_.settings, wanted_.request, lane.route,
                                             Exchange::Body::kAsItIs, headers);
  if (settings_.bytes_per_second == 0) lane.exchange->require_rate();
  lane.exchange->on_headers = [this, &lane] { return take_headers(lane); };
  lane.exchange->on_body = [this, &lane](const char* bytes, size_t size) {
    return take_body(lane, bytes, size);
  };
  client_.loop.start(*lane.exchange);
}

bool FileTransfer::take_headers(Lane& lane) {
  if (lane.generation != generation_) return false;
  lane.verdict = judge_range_answer(asked(lane), lane.exchange->status(), lane.exchange->headers());
  lane.left = lane.verdict.take_bytes;
  if (lane.verdict.kind == Kind::kWholeFile) {
    // This body is the whole file: it becomes the only lane, the others end by themselves.
    whole_only_ = true;
    empty_part(lane.verdict.why);
    lane.generation = generation_;
    lane.range = 0;
  } else if (lane.verdict.kind != Kind::kTake) {
    return lane.verdict.kind == Kind::kRedirect;
  }
  if (const auto etag = lane.exchange->header("ETag"))
    part_.set_etag(*etag, origin_of(lane.route.url));
  return true;
}

bool FileTransfer::take_body(Lane& lane, const char* bytes, size_t size) {
  if (lane.generation != generation_) return false;
  if (lane.verdict.kind == Kind::kRedirect) {  // a text for people; an endless one is cut off
    lane.left += size;
    return lane.left <= kSmallAnswer;
  }
  if (size > lane.left)
    fail(ErrorKind::kNetwork, "{}: {} sends more than the {} bytes it announced: refused",
         wanted_.label, lane.route.url.host, lane.verdict.take_bytes);
  part_.write(lane.range, bytes, size);
  lane.left -= size;
  lane.since_failure += size;
  return true;
}

void FileTransfer::end_exchange(Lane& lane, Clock::time_point now) {
  const std::unique_ptr<Exchange> exchange = std::move(lane.exchange);
  client_.loop.remove(*exchange);
  const std::string trouble = exchange->trouble();
  if (lane.since_failure >= kWorkingBytes) lane.failures = 0;
  const PartRange& range = part_.ranges().at(lane.range);
  if (range.done == range.end - range.begin) return;  // however it ended
  if (exchange->is_hopeless())
    fail(ErrorKind::kNetwork, "{}: {}: {}", wanted_.label, lane.route.url.host, trouble);
  if (!trouble.empty()) return try_again(lane, trouble, now, {});
  switch (lane.verdict.kind) {
    case Kind::kRedirect:
      follow_redirect(lane.route, wanted_.request, exchange->status(),
                      exchange->header("Location").value_or(""), client_.settings);
      return begin_exchange(lane);
    case Kind::kRefuse:
      fail(ErrorKind::kNetwork, "{}: {}: {}", wanted_.label, shown_url(lane.route.url),
           lane.verdict.why);
    case Kind::kRestart:
      return empty_part(lane.verdict.why);
    case Kind::kRetry:
      return try_again(lane, lane.verdict.why, now, exchange->retry_after());
    case Kind::kTake:
    case Kind::kWholeFile:
      break;
  }
  if (lane.left > 0)
    try_again(lane, fmt::format("connection lost, {} bytes are missing", lane.left), now, {});
  else if (lane.verdict.take_bytes < kSmallAnswer)
    try_again(lane, "the server sends only small pieces", now, {});
}

void FileTransfer::try_again(Lane& lane, const std::string& what, Clock::time_point now,
                             std::optional<std::chrono::seconds> retry_after) {
  lane.since_failure = 0;
  if (++lane.failures >= client_.settings.retry.attempts)
    fail(ErrorKind::kNetwork, "{}: {}", wanted_.label,
         no_answer_message(lane.route.url, what, lane.failures));
  const PlannedRetry retry = plan_retry(client_, lane.route.url, what, lane.failures, retry_after);
  tell(fmt::format("{} {}", what, lane.failures), retry.note);
  lane.due = now + retry.wait;
}

/// From zero: what is there belongs to something else, or cannot be gone on with.
void FileTransfer::empty_part(const std::string& why) {
  if (++restarts_ > client_.settings.retry.attempts)
    fail(ErrorKind::kNetwork, "{}: {}, and that for the {}th time: given up. Try again later",
         wanted_.label, why, restarts_);
  if (part_.done_bytes() > 0)
    tell(fmt::format("restart {}", restarts_), why + ": from the beginning");
  ++generation_;
  hasher_.reset();
  part_.restart(range_bytes());
  start_hasher();
}

/// Ended exchanges are judged; lanes whose range is whole or of an emptied part go.
void FileTransfer::tidy_lanes(Clock::time_point now) {
  for (size_t i = 0; i < lanes_.size(); ++i) {
    Lane& lane = *lanes_[i];
    if (lane.generation == generation_ && lane.exchange && lane.exchange->ended())
      end_exchange(lane, now);
  }
  std::erase_if(lanes_, [&](const std::unique_ptr<Lane>& lane) {
    const bool current = lane->generation == generation_;
    const bool busy = current && (lane->exchange || [&] {
                        const PartRange& range = part_.ranges().at(lane->range);
                        return range.done < range.end - range.begin;
                      }());
    if (!busy && lane->exchange) client_.loop.remove(*lane->exchange);
    return !busy;
  });
}

void FileTransfer::open_lanes() {
  for (size_t i = 0; i < part_.ranges().size(); ++i) {
    if (lanes_.size() >= static_cast<size_t>(settings_.ranges_per_file)) return;
    const PartRange& range = part_.ranges()[i];
    const bool taken = std::any_of(lanes_.begin(), lanes_.end(),
                                   [&](const auto& lane) { return lane->range == i; });
    if (taken || range.done == range.end - range.begin) continue;
    lanes_.push_back(std::make_unique<Lane>());
    lanes_.back()->range = i;
    lanes_.back()->generation = generation_;
  }
}

void FileTransfer::advance(Clock::time_point now) {
  part_.record();
  tidy_lanes(now);
  hasher_->grow(part_.prefix_bytes());
  if (part_.complete()) {
    if (lanes_.empty() && hasher_->done()) check_digest();
    return;
  }
  open_lanes();
  for (const auto& lane : lanes_)
    if (!lane->exchange && lane->due <= now) begin_attempt(*lane);
}

void FileTransfer::check_digest() {
  const hash::Digest found = hasher_->digest();
  if (found == wanted_.digest) {
    verified_ = true;
  } else if (resumed_bytes_ > 0) {
    // Its first bytes are of an earlier time: a power loss, or another version without an ETag.
    resumed_bytes_ = 0;
    empty_part("its digest is wrong after going on with an earlier part");
  } else {
    remove_part(wanted_.part);
    fail(ErrorKind::kNetwork,
         "{}: the content is not what was announced: expected {} {}, found {}. It was removed; if "
         "it "
         "happens again, tell the model's publisher",
         wanted_.label, algorithm_name(wanted_.digest.algorithm), wanted_.digest.hex, found.hex);
  }
}

std::optional<FileTransfer::Clock::time_point> FileTransfer::next_due() const {
  std::optional<Clock::time_point> next;
  for (const auto& lane : lanes_)
    if (!lane->exchange && (!next || lane->due < *next)) next = lane->due;
  return next;
}

int FileTransfer::connections() const {
  return static_cast<int>(std::count_if(
      lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->exchange != nullptr; }));
}

void FileTransfer::limit_rate(uint64_t bytes_per_second) {
  for (const auto& lane : lanes_)
    if (lane->exchange) lane->exchange->limit_rate(bytes_per_second);
}

}  // namespace toolkit::http
