#include "core/monitor/proxy/proxy.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/http/server/server.h"
#include "core/http/stream.h"
#include "core/monitor/proxy/request_book.h"

namespace toolkit::monitor {

namespace {

namespace server = http::server;

constexpr size_t kMostAtOnce = 128;
constexpr uint64_t kBodyBytes = 256 << 20;  // pictures come in a request's body
constexpr size_t kUnsentBytes = 1 << 20;

/// Headers that are between two programs, not between client and server (RFC 9110, 7.6.1); Host and
/// Content-Length are made anew. Compressed answers could not be counted.
bool stays_behind(std::string_view name) {
  constexpr std::array<std::string_view, 12> kNames = {
      "connection", "keep-alive",     "proxy-authenticate", "proxy-authorization",
      "te",         "trailer",        "transfer-encoding",  "upgrade",
      "host",       "content-length", "accept-encoding",    "expect"};
  return std::any_of(kNames.begin(), kNames.end(),
                     [&](std::string_view one) { return server::same_word(one, name); });
}

server::Response plain(int status, const std::string& words) {
  return {.status = status, .body = Json{{"error", words}}.dump()};
}

}  // namespace

struct Proxy::State {
  explicit State(const ProxyOptions& options)
      : upstream(http::parse_url(options.upstream)), book(options.upstream) {}

  http::Url upstream;
  RequestBook book;
  std::mutex mutex;
  std::condition_variable changed;
  size_t at_work = 0;
  bool ends = false;
  std::unique_ptr<server::Server> listener;

  void handle(const std::shared_ptr<server::Exchange>& exchange) {
    const server::Request& request = exchange->request();
    if (request.path == kProxyPath) {
      exchange->respond({.body = to_json(book.requests()).dump()});
      return;
    }
    {
      const std::lock_guard lock(mutex);
      if (ends || at_work >= kMostAtOnce) {
        exchange->respond(plain(503, "mlx-dash proxy: too many requests at once"));
        return;
      }
      ++at_work;
    }
    // An answer may take minutes: the server's few threads stay free.
    std::thread([this, exchange] {
      pass_on(*exchange);
      const std::lock_guard lock(mutex);
      --at_work;
      changed.notify_all();
    }).detach();
  }

  http::Request request_to_upstream(const server::Request& from) const {
    http::Request to{
        .method = from.method, .url = upstream, .body = from.body, .follow_redirects = false};
    to.url.target = upstream.target == "/" ? from.target : upstream.target + from.target;
    for (const http::Header& header : from.headers)
      if (!stays_behind(header.name)) to.headers.push_back(header);
    return to;
  }

  void pass_on(server::Exchange& exchange) {
    const server::Request& request = exchange.request();
    const auto form = request.method == "POST" ? stream_form_of(request.path) : std::nullopt;
    const int64_t id = form ? book.begin(model_of_request(request.body), *form) : 0;
    bool begun = false;
    try {
      const bool whole = http::stream(request_to_upstream(request),
                                      {.on_head =
                                           [&](const http::Response& head) {
                                             begun = true;
                                             exchange.begin(head_for_client(head));
                                             return true;
                                           },
                                       .on_bytes =
                                           [&](std::string_view bytes) {
                                             if (form) book.bytes(id, bytes);
                                             // A client that reads slowly slows the server, too.
                                             return exchange.write(bytes) &&
                                                    exchange.wait_for_client(kUnsentBytes);
                                           },
                                       .goes_on = [&] { return !exchange.gone(); }});
      if (whole)
        exchange.finish();
      else
        exchange.cut();
    } catch (const Error& error) {
      log_warning("proxy: {} {}: {}", request.method, request.path, error.what());
      if (begun)
        exchange.cut();
      else
        exchange.respond(plain(502, std::string("mlx-dash proxy: ") + error.what()));
    }
    if (form) book.end(id);
  }

  static server::Response head_for_client(const http::Response& head) {
    server::Response response{.status = head.status, .content_type = ""};
    for (const http::Header& header : head.headers)
      if (!stays_behind(header.name)) response.headers.push_back(header);
    return response;
  }
};

Proxy::Proxy(const ProxyOptions& options) : state_(std::make_unique<State>(options)) {
  state_->listener = std::make_unique<server::Server>(
      server::ServerOptions{.host = "127.0.0.1",
                            .port = options.port,
                            .limits = {.body_bytes = kBodyBytes, .unsent_bytes = 4 * kUnsentBytes}},
      [state = state_.get()](const std::shared_ptr<server::Exchange>& exchange) {
        state->handle(exchange);
      });
}

Proxy::~Proxy() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->ends = true;
  }
  state_->listener.reset();  // every exchange is gone now, which ends its transfer
  std::unique_lock lock(state_->mutex);
  state_->changed.wait(lock, [this] { return state_->at_work == 0; });
}

int Proxy::port() const {
  return state_->listener->port();
}

ProxyRequests Proxy::requests() const {
  return state_->book.requests();
}

}  // namespace toolkit::monitor
