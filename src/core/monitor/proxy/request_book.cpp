#include "core/monitor/proxy/request_book.h"

#include <unistd.h>

#include <utility>

#include "core/model_store/utc_time.h"
#include "core/monitor/sources/ollama_answers.h"

namespace toolkit::monitor {

namespace {

constexpr size_t kMostLineBytes = 1 << 20;
constexpr size_t kFinishedKept = 100;

double clock_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

std::optional<StreamForm> stream_form_of(const std::string& path) {
  if (path == "/api/generate" || path == "/api/chat") return StreamForm::kOllama;
  if (path == "/v1/messages") return StreamForm::kAnthropic;
  if (path == "/v1/chat/completions" || path == "/v1/completions" || path == "/v1/responses")
    return StreamForm::kOpenAi;
  return std::nullopt;
}

std::string model_of_request(const std::string& body) {
  return text_of(Json::parse(body, nullptr, /*allow_exceptions=*/false), "model");
}

void AnswerTap::line(std::string_view text, double now_s) {
  const int64_t before = reader_.pieces();
  reader_.line(text);
  if (reader_.pieces() == before) return;
  if (before == 0) first_s_ = now_s;
  last_s_ = now_s;
  meter_.add(now_s, reader_.pieces());
}

void AnswerTap::bytes(std::string_view text, double now_s) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view part = text.substr(0, end);
    if (!passing_over_) rest_ += part;
    if (rest_.size() > kMostLineBytes) passing_over_ = true, rest_.clear();
    if (end == text.npos) return;
    if (!passing_over_) line(rest_, now_s);
    passing_over_ = false;
    rest_.clear();
    text.remove_prefix(end + 1);
  }
}

void AnswerTap::end(double now_s) {
  if (!rest_.empty()) line(std::exchange(rest_, {}), now_s);
}

RunningRequest AnswerTap::running() const {
  RunningRequest request{.way = Way::kProxy,
                         .reading_prompt = reader_.pieces() == 0,
                         .tokens = reader_.pieces(),
                         .tokens_per_second = meter_.per_second()};
  if (request.tokens_per_second) request.quality = Quality::kLive;
  return request;
}

FinishedRequest AnswerTap::finished() const {
  const AnswerCounts& counts = reader_.counts();
  FinishedRequest request{.way = Way::kProxy, .tokens = counts.tokens.value_or(reader_.pieces())};
  if (counts.tokens_per_second) {
    request.tokens_per_second = counts.tokens_per_second;
    request.quality = Quality::kExact;
  } else if (request.tokens > 1 && last_s_ > first_s_) {
    request.tokens_per_second = static_cast<double>(request.tokens - 1) / (last_s_ - first_s_);
    request.quality = Quality::kLive;
  }
  return request;
}

RequestBook::RequestBook(std::string upstream)
    : upstream_(std::move(upstream)),
      started_(model_store::utc_text(model_store::now_s()) + " " + std::to_string(::getpid())) {}

int64_t RequestBook::begin(const std::string& model, StreamForm form) {
  const std::lock_guard lock(mutex_);
  running_.emplace(++last_id_, Entry{model, AnswerTap(form)});
  return last_id_;
}

void RequestBook::bytes(int64_t id, std::string_view text) {
  const std::lock_guard lock(mutex_);
  if (const auto found = running_.find(id); found != running_.end())
    found->second.tap.bytes(text, clock_s());
}

void RequestBook::end(int64_t id) {
  const std::lock_guard lock(mutex_);
  const auto found = running_.find(id);
  if (found == running_.end()) return;
  found->second.tap.end(clock_s());
  FinishedRequest finished = found->second.tap.finished();
  finished.model =
      found->second.model.empty() ? found->second.tap.reader().model() : found->second.model;
  finished.server = upstream_;
  if (finished.tokens > 0) finished_.push_back({++last_sequence_, std::move(finished)});
  if (finished_.size() > kFinishedKept) finished_.pop_front();
  running_.erase(found);
}

ProxyRequests RequestBook::requests() const {
  const std::lock_guard lock(mutex_);
  ProxyRequests requests{.upstream = upstream_, .started = started_};
  for (const auto& [id, entry] : running_) {
    RunningRequest request = entry.tap.running();
    request.id = std::to_string(id);
    request.model = entry.model;
    request.server = upstream_;
    requests.running.push_back(std::move(request));
  }
  requests.finished.assign(finished_.begin(), finished_.end());
  return requests;
}

}  // namespace toolkit::monitor
