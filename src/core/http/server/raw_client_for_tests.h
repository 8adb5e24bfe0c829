#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <string>

#include "core/base/error.h"

namespace toolkit::http::server {

/// For tests: a socket to 127.0.0.1 that says what a test wants, well-formed or not.
class RawClient {
 public:
  explicit RawClient(int port, int receive_buffer_bytes = 0) {
    socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
    if (receive_buffer_bytes > 0)
      ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes,
                   sizeof receive_buffer_bytes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      fail(ErrorKind::kNetwork, "no connection to port {}", port);
  }
  ~RawClient() { close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  /// False if the server closed.
  bool send(const std::string& text) {
    size_t sent = 0;
    while (sent < text.size()) {
      const ssize_t count = ::send(socket_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) return false;
      sent += static_cast<size_t>(count);
    }
    return true;
  }
  void end_sending() { ::shutdown(socket_, SHUT_WR); }
  void close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }

  /// Reads until `end` was read, the server closes or ten seconds are over; everything so far.
  const std::string& read_until(const std::string& end) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (received_.find(end) == std::string::npos && !closed_ &&
           std::chrono::steady_clock::now() < limit)
      read_some();
    return received_;
  }
  /// All that comes until the server closes.
  std::string read_all() {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!closed_ && std::chrono::steady_clock::now() < limit) read_some();
    return received_;
  }
  bool closed() const { return closed_; }
  void forget() { received_.clear(); }
  /// "404" of "HTTP/1.1 404 Not Found..."; "" without an answer.
  static std::string status(const std::string& answer) {
    return answer.size() > 12 ? answer.substr(9, 3) : "";
  }

 private:
  void read_some() {
    pollfd waiting{.fd = socket_, .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, 200) <= 0) return;
    char bytes[16384];
    const ssize_t count = ::recv(socket_, bytes, sizeof bytes, 0);
    if (count <= 0)
      closed_ = true;
    else
      received_.append(bytes, static_cast<size_t>(count));
  }

  int socket_ = -1;
  bool closed_ = false;
  std::string received_;
};

}  // namespace toolkit::http::server
