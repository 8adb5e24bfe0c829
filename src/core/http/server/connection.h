#pragma once

#include <array>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/http/parser.hpp>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "core/http/server/server.h"

namespace toolkit::http::server {

namespace asio = boost::asio;
using boost::system::error_code;

/// What all connections share. `io` runs on one thread; only that touches `connections` and
/// `draining`.
struct Core {
  ServerOptions options;
  Handler handler;
  asio::io_context io{1};
  asio::thread_pool pool;
  std::set<std::shared_ptr<Connection>> connections;
  std::atomic<size_t> connection_count = 0;
  std::atomic<uint64_t> body_bytes = 0;
  bool draining = false;

  std::mutex mutex;
  std::condition_variable changed;  // connection_count
  bool stopped = false;             // io runs no more

  Core(ServerOptions given, Handler answer)
      : options(std::move(given)),
        handler(std::move(answer)),
        pool(static_cast<size_t>(options.handler_threads)) {}
  /// Runs `work` on the thread of `io`; drops it once that has ended.
  void post(std::function<void()> work);
};

/// A body that grows as its bytes come, whatever length was announced.
struct GrowingBody {
  using value_type = std::string;
  struct reader {
    value_type& body;
    template <bool is_request, class Fields>
    reader(boost::beast::http::header<is_request, Fields>&, value_type& target) : body(target) {}
    void init(const boost::optional<uint64_t>&, error_code& error) { error = {}; }
    template <class Buffers>
    size_t put(const Buffers& buffers, error_code& error) {
      const size_t before = body.size();
      for (auto one = asio::buffer_sequence_begin(buffers);
           one != asio::buffer_sequence_end(buffers); ++one) {
        const asio::const_buffer buffer = *one;
        body.append(static_cast<const char*>(buffer.data()), buffer.size());
      }
      error = {};
      return body.size() - before;
    }
    void finish(error_code& error) { error = {}; }
  };
};

/// One socket: requests read one after another, each answered before the next is looked at. All but
/// the marked members run on the thread of `io`.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<Core> core, asio::ip::tcp::socket socket);
  void start();
  void close();
  void close_if_idle();

  // From any thread:
  enum class Then { kMore, kDone, kCut };
  /// Sends bytes of the answer; false if the client is gone.
  bool send(std::string bytes, Then then);
  bool gone() const;
  void when_gone(std::function<void()> tell);
  size_t unsent_bytes() const;
  bool wait_for_client(size_t at_most_bytes) const;
  /// Head of an answer to the request that is at work. `chunked`: how its body is to be sent.
  std::string answer_head(Response& response, bool streamed, bool& chunked);
  const ServerOptions& options() const { return core_->options; }

 private:
  enum class Phase { kHead, kBody, kHandling, kLingering };
  using Parser = boost::beast::http::request_parser<GrowingBody>;

  void next_request();
  void read();
  void on_read(error_code error, size_t size);
  void on_end_of_input(bool broken);
  void parse();
  bool read_head();
  std::string take_head();
  void count_body();
  void dispatch();
  void answer_preflight();
  void refuse(int status, const std::string& message);
  void refuse_parse_error(error_code error);
  void write();
  void write_piece();
  void on_written(error_code error, size_t size);
  void answer_sent();
  void linger();
  void set_deadline(double seconds, void (Connection::*late)());
  void on_late_head();
  void tell_gone();

  std::shared_ptr<Core> core_;
  asio::ip::tcp::socket socket_;
  asio::steady_timer timer_;
  uint64_t deadline_ = 0;  // counts settings of the timer: an old one is not heard

  Phase phase_ = Phase::kHead;
  std::optional<Parser> parser_;
  std::string input_;  // read and not parsed
  std::array<char, 16384> chunk_;
  bool reading_ = false, input_ended_ = false, closed_ = false, head_begun_ = false;
  uint64_t counted_body_ = 0;
  Request request_;

  // The answer. keep_alive_, head_only_ and old_client_ are set before a handler runs.
  bool keep_alive_ = true, head_only_ = false, old_client_ = false;
  std::string cors_origin_;
  std::string writing_;
  size_t written_ = 0;  // bytes of writing_
  bool write_running_ = false;

  mutable std::mutex mutex_;
  mutable std::condition_variable taken_;
  std::string unsent_;
  size_t unsent_bytes_ = 0;  // and what is left of writing_
  bool gone_ = false, answer_done_ = false, answer_cut_ = false, flush_posted_ = false;
  std::function<void()> tell_gone_;
};

}  // namespace toolkit::http::server
