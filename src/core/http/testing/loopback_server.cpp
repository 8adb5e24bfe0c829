#include "core/http/testing/loopback_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "core/base/error.h"

namespace toolkit::http::testing {

namespace {

const Header* find_header(const std::vector<Header>& headers, const std::string& name) {
  const auto found = std::find_if(headers.begin(), headers.end(), [&](const Header& header) {
    return ::strcasecmp(header.name.c_str(), name.c_str()) == 0;
  });
  return found == headers.end() ? nullptr : &*found;
}

/// Request line and headers of `text`, which ends before the empty line.
Received parse_head(const std::string& text) {
  Received request;
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t end = std::min(text.find("\r\n", begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    if (begin == 0) {
      const size_t first = line.find(' '), second = line.find(' ', first + 1);
      request.method = line.substr(0, first);
      request.target = line.substr(first + 1, second - first - 1);
    } else if (const size_t colon = line.find(':'); colon != std::string::npos) {
      const size_t value = line.find_first_not_of(' ', colon + 1);
      request.headers.push_back(
          {line.substr(0, colon), value == std::string::npos ? "" : line.substr(value)});
    }
    begin = end + 2;
  }
  return request;
}

}  // namespace

std::string Received::header(const std::string& name) const {
  const Header* found = find_header(headers, name);
  return found ? found->value : "";
}

struct LoopbackServer::State {
  std::function<Answer(const Received&)> answer;
  int listener = -1;
  int port = 0;
  std::thread acceptor;
  mutable std::mutex mutex;
  std::condition_variable stop_signal;
  bool stopping = false;
  std::vector<int> open_sockets;
  std::vector<std::thread> connections;
  std::vector<Received> received;

  /// False when the server ends meanwhile.
  bool pause(int milliseconds) {
    std::unique_lock lock(mutex);
    return !stop_signal.wait_for(lock, std::chrono::milliseconds(milliseconds),
                                 [this] { return stopping; });
  }

  bool send_bytes(int socket, const char* bytes, size_t size) {
    while (size > 0) {
      const ssize_t sent = ::send(socket, bytes, size, MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes += sent;
      size -= static_cast<size_t>(sent);
    }
    return true;
  }

  bool send_body(int socket, const Answer& given) {
    std::string_view rest = given.body;
    if (given.cut_after_bytes >= 0)
      rest = rest.substr(0, static_cast<size_t>(given.cut_after_bytes));
    const int pause_ms =
        given.pause_ms_per_byte ? given.pause_ms_per_byte : given.pause_ms_per_kilobyte;
    const size_t piece = given.pause_ms_per_byte ? 1 : pause_ms ? 1024 : rest.size();
    while (!rest.empty()) {
      const std::string_view now = rest.substr(0, piece);
      if (!send_bytes(socket, now.data(), now.size())) return false;
      rest.remove_prefix(now.size());
      if (pause_ms && !pause(pause_ms)) return false;
    }
    return given.cut_after_bytes < 0;
  }

  /// True if the connection stays open for the next request.
  bool respond(int socket, const Received& request, const Answer& given) {
    if (given.no_answer) return false;
    std::string head = "HTTP/1.1 " + std::to_string(given.status) + " -\r\n";
    for (const Header& header : given.headers) head += header.name + ": " + header.value + "\r\n";
    if (!given.endless && !find_header(given.headers, "Content-Length") && given.status != 204)
      head += "Content-Length: " + std::to_string(given.body.size()) + "\r\n";
    if (given.endless) head += "Connection: close\r\n";
    if (!send_bytes(socket, head.data(), head.size())) return false;
    while (given.endless_headers) {
      const std::string line = "X-More: " + std::string(1000, 'x') + "\r\n";
      if (!send_bytes(socket, line.data(), line.size())) return false;
    }
    if (!send_bytes(socket, "\r\n", 2)) return false;
    if (request.method == "HEAD") return true;
    bool open = true;
    do open = send_body(socket, given);
    while (open && given.endless);
    return open;
  }

  /// One request from `buffer` and the socket; false when the client is gone.
  bool read_request(int socket, std::string& buffer, Received& request) {
    char bytes[16384];
    const auto more = [&] {
      const ssize_t count = ::recv(socket, bytes, sizeof bytes, 0);
      if (count > 0) buffer.append(bytes, static_cast<size_t>(count));
      return count > 0;
    };
    size_t end = 0;
    while ((end = buffer.find("\r\n\r\n")) == std::string::npos)
      if (!more()) return false;
    request = parse_head(buffer.substr(0, end));
    buffer.erase(0, end + 4);
    if (request.header("Expect") == "100-continue")
      send_bytes(socket, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    const size_t length = std::strtoull(request.header("Content-Length").c_str(), nullptr, 10);
    while (buffer.size() < length)
      if (!more()) return false;
    request.body = buffer.substr(0, length);
    buffer.erase(0, length);
    return true;
  }

  void serve(int socket) {
    std::string buffer;
    Received request;
    while (read_request(socket, buffer, request)) {
      {
        const std::lock_guard lock(mutex);
        received.push_back(request);
      }
      if (!respond(socket, request, answer(request))) break;
    }
    const std::lock_guard lock(mutex);
    std::erase(open_sockets, socket);
    ::close(socket);
  }

  void accept_all() {
    for (;;) {
      const int socket = ::accept(listener, nullptr, nullptr);
      const std::lock_guard lock(mutex);
      if (stopping || socket < 0) {
        if (socket >= 0) ::close(socket);
        return;
      }
      open_sockets.push_back(socket);
      connections.emplace_back([this, socket] { serve(socket); });
    }
  }
};

LoopbackServer::LoopbackServer(std::function<Answer(const Received&)> answer)
    : state_(std::make_unique<State>()) {
  state_->answer = std::move(answer);
  state_->listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(state_->listener, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(state_->listener, 64) != 0 ||
      ::getsockname(state_->listener, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    fail(ErrorKind::kIo, "no loopback port for the test server");
  state_->port = ntohs(address.sin_port);
  state_->acceptor = std::thread([state = state_.get()] { state->accept_all(); });
}

LoopbackServer::~LoopbackServer() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    for (const int socket : state_->open_sockets) ::shutdown(socket, SHUT_RDWR);
  }
  state_->stop_signal.notify_all();
  ::shutdown(state_->listener, SHUT_RDWR);  // ends accept()
  // Where that does not end it, a last connection does.
  const int last = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(state_->port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  (void)::connect(last, reinterpret_cast<sockaddr*>(&address), sizeof address);
  ::close(last);
  state_->acceptor.join();
  ::close(state_->listener);
  for (std::thread& connection : state_->connections) connection.join();
}

std::string LoopbackServer::origin() const {
  return "http://127.0.0.1:" + std::to_string(state_->port);
}

std::vector<Received> LoopbackServer::received() const {
  const std::lock_guard lock(state_->mutex);
  return state_->received;
}

Answer ranged_answer(const Received& request, const std::string& content, const std::string& etag) {
  Answer answer;
  answer.headers = {{"ETag", "\"" + etag + "\""}, {"Accept-Ranges", "bytes"}};
  const std::string range = request.header("Range");
  const std::string condition = request.header("If-Range");
  const bool changed = !condition.empty() && condition != "\"" + etag + "\"";
  if (!range.starts_with("bytes=") || changed) {
    answer.body = content;
    return answer;
  }
  const size_t dash = range.find('-');
  const uint64_t begin = std::strtoull(range.c_str() + 6, nullptr, 10);
  uint64_t end = content.size();
  if (dash + 1 < range.size())
    end = std::min<uint64_t>(end, std::strtoull(range.c_str() + dash + 1, nullptr, 10) + 1);
  if (begin >= content.size() || begin >= end) {
    answer.status = 416;
    answer.headers.push_back({"Content-Range", "bytes */" + std::to_string(content.size())});
    return answer;
  }
  answer.status = 206;
  answer.headers.push_back({"Content-Range", "bytes " + std::to_string(begin) + "-" +
                                                 std::to_string(end - 1) + "/" +
                                                 std::to_string(content.size())});
  answer.body = content.substr(begin, end - begin);
  return answer;
}

}  // namespace toolkit::http::testing
