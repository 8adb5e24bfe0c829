#include "core/http/client_state.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/interrupt.h"

namespace toolkit::http {

namespace {

void start_curl() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (code != CURLE_OK) fail(ErrorKind::kInternal, "libcurl: {}", curl_easy_strerror(code));
}

void check(CURLMcode code) {
  if (code != CURLM_OK) fail(ErrorKind::kInternal, "libcurl: {}", curl_multi_strerror(code));
}

}  // namespace

ExchangeLoop::ExchangeLoop() {
  start_curl();
  multi_ = curl_multi_init();
  if (!multi_) fail(ErrorKind::kOutOfMemory, "no memory for network transfers");
  // A connection for each transfer over HTTP/2 too: ranges that share one share its congestion
  // window and its losses, and are no faster than one.
  check(curl_multi_setopt(multi_, CURLMOPT_PIPELINING, CURLPIPE_NOTHING));
}

ExchangeLoop::~ExchangeLoop() {
  for (Exchange* exchange : active_) curl_multi_remove_handle(multi_, exchange->handle());
  curl_multi_cleanup(multi_);
}

void ExchangeLoop::start(Exchange& exchange) {
  check(curl_multi_add_handle(multi_, exchange.handle()));
  active_.push_back(&exchange);
}

void ExchangeLoop::remove(Exchange& exchange) {
  if (std::erase(active_, &exchange) > 0) curl_multi_remove_handle(multi_, exchange.handle());
}

void ExchangeLoop::run(std::chrono::milliseconds patience) {
  int running = 0;
  check(curl_multi_perform(multi_, &running));
  bool any_ended = false;
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    Exchange* exchange = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &exchange);
    exchange->end(message->data.result);
    any_ended = true;
  }
  const auto now = Exchange::Clock::now();
  for (Exchange* exchange : active_) {
    if (exchange->ended() || !exchange->is_stalled(now)) continue;
    exchange->end_as_stalled();
    any_ended = true;
  }
  if (!any_ended)
    check(curl_multi_poll(multi_, nullptr, 0, static_cast<int>(patience.count()), nullptr));
}

void ExchangeLoop::wake() {
  curl_multi_wakeup(multi_);
}

PlannedRetry plan_retry(ClientState& client, const Url& url, const std::string& what, int attempt,
                        std::optional<std::chrono::seconds> retry_after) {
  const RetryRules& rules = client.settings.retry;
  const auto wait = retry_delay(rules, attempt, client.random.uniform(), retry_after);
  return {wait,
          fmt::format("{}: {}, again in {:.1f} s (attempt {} of {})", url.host, what,
                      std::chrono::duration<double>(wait).count(), attempt + 1, rules.attempts)};
}

std::string no_answer_message(const Url& url, const std::string& trouble, int attempts) {
  const std::string tried = attempts > 1 ? fmt::format(" ({} attempts)", attempts) : "";
  const char* next =
      is_loopback(url)
          ? "is the server running?"
          : "check the network and the proxy settings (HTTPS_PROXY, NO_PROXY), then run "
            "the same command again";
  return fmt::format("{}: {}{}: {}", shown_url(url), trouble, tried, next);
}

void check_interrupt() {
  if (InterruptGuard::requested())
    fail(ErrorKind::kNetwork, "stopped; the same command goes on from here");
}

}  // namespace toolkit::http
