#include "core/http/client.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <thread>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/http/client_state.h"
#include "core/http/exchange.h"
#include "core/http/route.h"

namespace toolkit::http {

namespace {

constexpr size_t kMostLineBytes = 1 << 20;
constexpr std::chrono::milliseconds kTick{100};

using OnLine = std::function<bool(std::string_view)>;

/// What one attempt came to.
struct Attempt {
  Response response;
  std::string trouble;  // empty: a whole answer
  bool may_repeat = false;
  std::optional<std::chrono::seconds> retry_after;
};

/// Hands over whole lines of a body as it comes.
class Lines {
 public:
  explicit Lines(const OnLine& on_line) : on_line_(on_line) {}
  bool take(const char* bytes, size_t size, const Url& url) {
    text_.append(bytes, size);
    size_t begin = 0;
    for (size_t end; (end = text_.find('\n', begin)) != std::string::npos; begin = end + 1)
      if (!hand_over({text_.data() + begin, end - begin})) return false;
    text_.erase(0, begin);
    if (text_.size() > kMostLineBytes)
      fail(ErrorKind::kNetwork, "{}: a line of more than 1 MiB: refused", shown_url(url));
    return true;
  }
  void end() {
    if (!text_.empty()) hand_over(text_);
    text_.clear();
  }

 private:
  bool hand_over(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line.empty() || on_line_(line);
  }
  const OnLine& on_line_;
  std::string text_;
};

void run_to_end(ClientState& state, Exchange& exchange) {
  state.loop.start(exchange);
  try {
    while (!exchange.ended()) {
      check_interrupt();
      state.loop.run(kTick);
    }
  } catch (...) {
    state.loop.remove(exchange);
    throw;
  }
  state.loop.remove(exchange);
}

/// A request once, over its redirects.
Attempt attempt_once(ClientState& state, const Request& request, const OnLine* on_line) {
  Route route = start_route(request, state.settings);
  for (;;) {
    Attempt attempt;
    Exchange exchange(state.settings, request, route, Exchange::Body::kDecoded);
    if (!on_line) exchange.require_rate();
    std::optional<Lines> lines;
    exchange.on_headers = [&] {
      // Error answers are small texts, whoever asked for lines.
      if (on_line && exchange.status() < 300) lines.emplace(*on_line);
      return true;
    };
    std::string& body = attempt.response.body;
    exchange.on_body = [&](const char* bytes, size_t size) {
      if (lines) return lines->take(bytes, size, route.url);
      if (body.size() + size > request.body_limit_bytes)
        fail(ErrorKind::kNetwork, "{}: a body of more than {} bytes: refused", shown_url(route.url),
             request.body_limit_bytes);
      body.append(bytes, size);
      return true;
    };
    run_to_end(state, exchange);
    attempt.trouble = exchange.trouble();
    attempt.response.status = exchange.status();
    attempt.response.url = route.url;
    attempt.response.headers = exchange.headers();
    if (!attempt.trouble.empty()) {
      const bool harmless = request.method == "GET" || request.method == "HEAD";
      attempt.may_repeat =
          !exchange.is_hopeless() && !lines && (harmless || exchange.never_connected());
      return attempt;
    }
    if (request.follow_redirects && is_redirect(exchange.status())) {
      follow_redirect(route, request, exchange.status(), exchange.header("Location").value_or(""),
                      state.settings);
      continue;
    }
    if (lines && !exchange.was_refused()) lines->end();
    attempt.retry_after = exchange.retry_after();
    attempt.may_repeat = is_retryable(exchange.status());
    return attempt;
  }
}

void wait_patiently(std::chrono::milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  for (;;) {
    check_interrupt();
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    if (left.count() <= 0) return;
    std::this_thread::sleep_for(std::min(left, kTick));
  }
}

Response send_with_retries(ClientState& state, const Request& request, const OnLine* on_line) {
  for (int attempt = 1;; ++attempt) {
    Attempt result = attempt_once(state, request, on_line);
    const bool answered = result.trouble.empty();
    if (answered && !result.may_repeat) return std::move(result.response);
    if (!result.may_repeat || attempt >= state.settings.retry.attempts) {
      if (answered) return std::move(result.response);
      fail(ErrorKind::kNetwork, "{}",
           no_answer_message(result.response.url, result.trouble, attempt));
    }
    const std::string what = answered ? std::to_string(result.response.status) : result.trouble;
    const PlannedRetry retry =
        plan_retry(state, result.response.url, what, attempt, result.retry_after);
    log_warning("{}", retry.note);
    if (state.settings.on_retry) state.settings.on_retry(retry.note);
    wait_patiently(retry.wait);
  }
}

}  // namespace

std::optional<std::string> Response::header(std::string_view name) const {
  return find_header(headers, name);
}

bool is_retryable(int status) {
  return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 ||
         status == 504;
}

std::chrono::milliseconds retry_delay(const RetryRules& rules, int attempt, double random,
                                      std::optional<std::chrono::seconds> retry_after) {
  if (retry_after)
    return std::clamp<std::chrono::milliseconds>(*retry_after, rules.first_delay,
                                                 rules.longest_delay);
  const double doubled =
      static_cast<double>(rules.first_delay.count()) * std::exp2(std::clamp(attempt - 1, 0, 30));
  const double longest = std::min(doubled, static_cast<double>(rules.longest_delay.count()));
  return std::chrono::milliseconds(std::llround(longest * (0.5 + 0.5 * random)));
}

Client::Client(ClientSettings settings) : state_(std::make_unique<ClientState>()) {
  const uint64_t seed = settings.random_seed ? settings.random_seed : std::random_device{}();
  state_->random = Random(seed);
  state_->settings = std::move(settings);
}

Client::~Client() = default;

Response Client::send(const Request& request) {
  return send_with_retries(*state_, request, nullptr);
}

Response Client::send_lines(const Request& request,
                            const std::function<bool(std::string_view)>& on_line) {
  return send_with_retries(*state_, request, &on_line);
}

const ClientSettings& Client::settings() const {
  return state_->settings;
}

}  // namespace toolkit::http
