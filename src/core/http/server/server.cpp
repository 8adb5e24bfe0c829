#include "core/http/server/server.h"

#include <future>
#include <thread>

#include "core/base/error.h"
#include "core/http/server/connection.h"

namespace toolkit::http::server {

namespace {

using asio::ip::tcp;

constexpr const char* kTooMany =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 1\r\n"
    "Connection: close\r\n\r\n";

}  // namespace

struct Server::Impl {
  std::shared_ptr<Core> core;
  tcp::acceptor acceptor;
  asio::steady_timer pause;
  asio::executor_work_guard<asio::io_context::executor_type> work;
  int port = 0;
  std::thread thread;

  Impl(ServerOptions options, Handler handler)
      : core(std::make_shared<Core>(std::move(options), std::move(handler))),
        acceptor(core->io),
        pause(core->io),
        work(core->io.get_executor()) {}

  void listen() {
    const std::string& host = core->options.host;
    const std::string address = same_word(host, "localhost") ? "127.0.0.1" : host;
    error_code error;
    const auto ip = asio::ip::make_address(address, error);
    if (error) fail(ErrorKind::kUserInput, "expected an IP address to listen on, found '{}'", host);
    if (!ip.is_loopback() && core->options.access.token.empty())
      fail(ErrorKind::kUserInput,
           "{} can be reached from other machines: a token is needed to listen there", host);
    const tcp::endpoint endpoint(ip, static_cast<uint16_t>(core->options.port));
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error)
      fail(ErrorKind::kIo, "cannot listen on {} port {}: {}", host, core->options.port,
           error.message());
    port = acceptor.local_endpoint().port();
  }

  void accept() {
    acceptor.async_accept([this](error_code error, tcp::socket socket) {
      if (!acceptor.is_open()) return;
      if (error) {  // no descriptors left: those that end make room
        pause.expires_after(std::chrono::milliseconds(100));
        pause.async_wait([this](error_code stopped) {
          if (!stopped) accept();
        });
        return;
      }
      take(std::move(socket));
      accept();
    });
  }

  void take(tcp::socket socket) {
    if (core->connections.size() >= core->options.limits.connections) {
      error_code ignored;
      socket.non_blocking(true, ignored);
      socket.write_some(asio::buffer(kTooMany, std::char_traits<char>::length(kTooMany)), ignored);
      return;
    }
    const auto connection = std::make_shared<Connection>(core, std::move(socket));
    core->connections.insert(connection);
    ++core->connection_count;
    connection->start();
  }

  void stop_listening() {
    error_code ignored;
    acceptor.close(ignored);
    pause.cancel();
    core->draining = true;
    const auto all = core->connections;  // closing takes them out
    for (const auto& connection : all) connection->close_if_idle();
  }
};

Server::Server(ServerOptions options, Handler handler)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(handler))) {
  impl_->listen();
  impl_->accept();
  impl_->thread = std::thread([core = impl_->core] { core->io.run(); });
}

Server::~Server() {
  const auto core = impl_->core;
  core->post([impl = impl_.get(), core] {
    impl->stop_listening();
    const auto all = core->connections;
    for (const auto& connection : all) connection->close();
  });
  core->pool.join();
  impl_->work.reset();
  core->io.stop();
  impl_->thread.join();
  {
    const std::lock_guard lock(core->mutex);
    core->stopped = true;
  }
  core->io.restart();  // what was posted last, and what the closed sockets still had to say
  core->io.poll();
}

int Server::port() const {
  return impl_->port;
}

size_t Server::connections() const {
  return impl_->core->connection_count;
}

bool Server::drain(double seconds) {
  const auto core = impl_->core;
  std::promise<void> stopped;
  core->post([impl = impl_.get(), &stopped] {
    impl->stop_listening();
    stopped.set_value();
  });
  stopped.get_future().wait();
  std::unique_lock lock(core->mutex);
  return core->changed.wait_for(lock, std::chrono::duration<double>(seconds),
                                [&] { return core->connection_count == 0; });
}

Exchange::Exchange(std::shared_ptr<Connection> connection, Request request)
    : connection_(std::move(connection)), request_(std::move(request)) {}

Exchange::~Exchange() {
  if (state_ == State::kStreaming) cut();
  if (state_ == State::kOpen)
    respond({.status = 500, .content_type = "text/plain", .body = "no answer was made\n"});
}

void Exchange::respond(Response response) {
  if (state_ != State::kOpen) return;
  state_ = State::kDone;
  std::string bytes = connection_->answer_head(response, /*streamed=*/false, chunked_);
  if (request_.method != "HEAD") bytes += response.body;
  connection_->send(std::move(bytes), Connection::Then::kDone);
}

void Exchange::begin(Response head) {
  if (state_ != State::kOpen) return;
  state_ = State::kStreaming;
  const std::string first = std::move(head.body);
  head.body.clear();
  std::string bytes = connection_->answer_head(head, /*streamed=*/true, chunked_);
  if (request_.method != "HEAD") bytes += chunked_ ? chunk_text(first) : first;
  connection_->send(std::move(bytes), Connection::Then::kMore);
}

bool Exchange::write(std::string_view bytes) {
  if (state_ != State::kStreaming || request_.method == "HEAD") return !gone();
  return connection_->send(chunked_ ? chunk_text(bytes) : std::string(bytes),
                           Connection::Then::kMore);
}

void Exchange::finish() {
  if (state_ != State::kStreaming) return;
  state_ = State::kDone;
  connection_->send(chunked_ && request_.method != "HEAD" ? "0\r\n\r\n" : "",
                    Connection::Then::kDone);
}

void Exchange::cut() {
  if (state_ != State::kStreaming) return;
  state_ = State::kDone;
  connection_->send("", Connection::Then::kCut);
}

bool Exchange::answered() const {
  return state_ != State::kOpen;
}

bool Exchange::gone() const {
  return connection_->gone();
}

void Exchange::when_gone(std::function<void()> tell) {
  connection_->when_gone(std::move(tell));
}

size_t Exchange::unsent_bytes() const {
  return connection_->unsent_bytes();
}

bool Exchange::wait_for_client(size_t at_most_bytes) const {
  return connection_->wait_for_client(at_most_bytes);
}

}  // namespace toolkit::http::server
