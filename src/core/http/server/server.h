#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/http/server/access.h"
#include "core/http/server/request.h"
#include "core/http/server/response.h"

namespace toolkit::http::server {

/// What one client, and all together, may take.
struct Limits {
  size_t head_bytes = 32 << 10;
  size_t headers = 100;
  uint64_t body_bytes = 16 << 20;       // unless ServerOptions::body_limit says otherwise
  uint64_t all_bodies_bytes = 1 << 30;  // of the requests at work
  size_t unsent_bytes = 8 << 20;        // of a streamed answer; a client further behind is cut off
  size_t connections = 512;
  double head_seconds = 10, body_seconds = 30;  // for the head; for more of a body
  double idle_seconds = 75;                     // between requests
  double write_seconds = 30;                    // for the client to take something
};

class Connection;

/// One request and its answer. May be kept and answered later, from any thread; one that is dropped
/// unanswered is answered 500, one dropped while it streams is cut off.
class Exchange {
 public:
  Exchange(std::shared_ptr<Connection> connection, Request request);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  const Request& request() const { return request_; }
  Request& request() { return request_; }

  /// The whole answer. Only the first answer counts.
  void respond(Response response);

  /// A streamed one: head, then bytes as they come, each write sent at once; then finish(), or
  /// cut() so that the client sees that something is missing. `head.body` is sent with the head.
  void begin(Response head);
  /// False once the client is gone.
  bool write(std::string_view bytes);
  void finish();
  void cut();

  bool answered() const;
  /// The client closed its side, was cut off, or the server ends.
  bool gone() const;
  /// Called once when the client goes, at once if it is gone; on the server's thread, so quick.
  void when_gone(std::function<void()> tell);

  /// Bytes written that the client has not taken yet.
  size_t unsent_bytes() const;
  /// Waits until at most that many are unsent; false if the client goes.
  bool wait_for_client(size_t at_most_bytes) const;

 private:
  enum class State { kOpen, kStreaming, kDone };
  std::shared_ptr<Connection> connection_;
  Request request_;
  State state_ = State::kOpen;
  bool chunked_ = false;
};

/// Answers requests, on one of a few threads. What it throws becomes a 500.
using Handler = std::function<void(const std::shared_ptr<Exchange>&)>;

struct ServerOptions {
  std::string host = "127.0.0.1";  // an address, or "localhost"
  int port = 0;                    // 0: any free one
  AccessRules access;
  Limits limits;
  int handler_threads = 4;
  /// The limit of a body, known before it is read; unset: Limits::body_bytes for all.
  std::function<uint64_t(const Request& head)> body_limit;
  /// How refusals of the server itself look (400, 401, 403, 408, 413, 431, 500, 503); unset: text.
  std::function<Response(const Request& head, int status, const std::string& message)> refuse;
};

/// An HTTP/1.1 server (RFC 9112): keep-alive, pipelining, chunked bodies both ways. One thread owns
/// all sockets; neither a slow nor a silent client holds another thread. A client that closes its
/// side while it waits counts as gone (Exchange::gone); an answer that comes yet is still sent.
class Server {
 public:
  /// Listens and answers from now on. Throws Error(kUserInput) for an address that is not this
  /// machine's loopback without a token; Error(kIo) for one that cannot be had.
  Server(ServerOptions options, Handler handler);
  /// Cuts off what is left.
  ~Server();

  int port() const;
  size_t connections() const;

  /// Takes no new connection, closes idle ones, lets what runs finish, for at most `seconds`; false
  /// if something was left.
  bool drain(double seconds);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace toolkit::http::server
