#include "core/http/server/connection.h"

#include <boost/beast/http/error.hpp>

#include "core/base/error.h"

namespace toolkit::http::server {

namespace {

namespace beast_http = boost::beast::http;

constexpr size_t kReadAhead = 64 << 10;  // of requests that wait for the answer before them
constexpr double kLingerSeconds = 2;

}  // namespace

void Core::post(std::function<void()> work) {
  const std::lock_guard lock(mutex);
  if (!stopped) asio::post(io, std::move(work));
}

Connection::Connection(std::shared_ptr<Core> core, asio::ip::tcp::socket socket)
    : core_(std::move(core)), socket_(std::move(socket)), timer_(core_->io) {}

void Connection::start() {
  error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  next_request();
}

void Connection::next_request() {
  phase_ = Phase::kHead;
  head_begun_ = head_only_ = false;
  request_ = {};
  cors_origin_.clear();
  {
    const std::lock_guard lock(mutex_);
    answer_done_ = answer_cut_ = false;
    tell_gone_ = nullptr;
  }
  parser_.emplace();
  parser_->header_limit(static_cast<uint32_t>(options().limits.head_bytes));
  parser_->body_limit(boost::none);  // set when the head is known
  parser_->eager(false);
  set_deadline(options().limits.idle_seconds, &Connection::close);
  parse();
}

void Connection::set_deadline(double seconds, void (Connection::*late)()) {
  const uint64_t mine = ++deadline_;
  timer_.expires_after(std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000)));
  timer_.async_wait([self = shared_from_this(), mine, late](error_code error) {
    if (!error && mine == self->deadline_ && !self->closed_) (self.get()->*late)();
  });
}

void Connection::on_late_head() {
  refuse(408, "the request did not come in time");
}

void Connection::read() {
  if (reading_ || closed_ || input_ended_) return;
  if (phase_ == Phase::kHandling && input_.size() >= kReadAhead) return;
  reading_ = true;
  socket_.async_read_some(asio::buffer(chunk_),
                          [self = shared_from_this()](error_code error, size_t size) {
                            self->reading_ = false;
                            self->on_read(error, size);
                          });
}

void Connection::on_read(error_code error, size_t size) {
  if (closed_) return;
  if (error) return on_end_of_input(error != asio::error::eof);
  if (phase_ != Phase::kLingering) input_.append(chunk_.data(), size);
  parse();
}

void Connection::on_end_of_input(bool broken) {
  input_ended_ = true;
  // A client that only closed its own side still gets its answer, if one comes.
  if (broken || phase_ != Phase::kHandling) return close();
  tell_gone();
}

void Connection::parse() {
  while (!closed_ && (phase_ == Phase::kHead || phase_ == Phase::kBody) && !input_.empty()) {
    if (!head_begun_) {
      head_begun_ = true;
      set_deadline(options().limits.head_seconds, &Connection::on_late_head);
    }
    error_code error;
    const size_t used = parser_->put(asio::buffer(input_), error);
    input_.erase(0, used);
    if (error == beast_http::error::need_more) {
      if (input_.size() <= options().limits.head_bytes) break;
      return refuse(phase_ == Phase::kHead ? 431 : 400, "a header or chunk is too long");
    }
    if (error) return refuse_parse_error(error);
    if (phase_ == Phase::kHead && parser_->is_header_done() && !read_head()) return;
    if (phase_ == Phase::kBody) {
      count_body();
      if (core_->body_bytes > options().limits.all_bodies_bytes)
        return refuse(503, "too much is being sent to this server at once; try again later");
      if (parser_->is_done()) dispatch();
    }
  }
  if (input_ended_ && phase_ != Phase::kHandling) return close();
  read();
}

void Connection::count_body() {
  const uint64_t size = parser_->get().body().size();
  if (size > counted_body_)  // a slow body goes on as long as it goes on
    set_deadline(options().limits.body_seconds, &Connection::on_late_head);
  core_->body_bytes += size - counted_body_;
  counted_body_ = size;
}

/// What is wrong with the head, "" if nothing.
std::string Connection::take_head() {
  const auto& message = parser_->get();
  request_.method = std::string(message.method_string());
  request_.target = std::string(message.target());
  int hosts = 0, lengths = 0;
  for (const auto& field : message) {
    request_.headers.push_back({std::string(field.name_string()), std::string(field.value())});
    hosts += same_word(field.name_string(), "Host");
    lengths += same_word(field.name_string(), "Content-Length");
  }
  old_client_ = message.version() < 11;
  head_only_ = request_.method == "HEAD";
  keep_alive_ = message.keep_alive() && !core_->draining;
  if (hosts > 1 || (hosts == 0 && !old_client_)) return "expected one Host header";
  if (lengths > 1) return "more than one Content-Length header";
  const std::string_view coding = request_.header("Transfer-Encoding");
  if (!coding.empty() && (old_client_ || !same_word(coding, "chunked")))
    return "the only transfer encoding understood is 'chunked'";
  return read_target(request_);
}

/// False if the request was refused.
bool Connection::read_head() {
  phase_ = Phase::kBody;
  const std::string fault = take_head();
  const Limits& limits = options().limits;
  if (!fault.empty()) return refuse(400, fault), false;
  if (request_.headers.size() > limits.headers)
    return refuse(431, "more than " + std::to_string(limits.headers) + " headers"), false;
  if (const auto refused = refusal(options().access, request_))
    return refuse(refused->status, refused->message), false;
  if (is_allowed_origin(options().access, request_))
    cors_origin_ = std::string(request_.header("Origin"));
  const std::string_view expected = request_.header("Expect");
  if (!expected.empty() && !same_word(expected, "100-continue"))
    return refuse(417, "the only expectation understood is '100-continue'"), false;
  const uint64_t body_limit =
      options().body_limit ? options().body_limit(request_) : limits.body_bytes;
  if (parser_->content_length().value_or(0) > body_limit)
    return refuse(413, "the body is larger than " + std::to_string(body_limit) + " bytes"), false;
  parser_->body_limit(body_limit);
  parser_->eager(true);
  set_deadline(limits.body_seconds, &Connection::on_late_head);
  if (!expected.empty() && !parser_->is_done()) send("HTTP/1.1 100 Continue\r\n\r\n", Then::kMore);
  return true;
}

void Connection::refuse_parse_error(error_code error) {
  using Code = beast_http::error;
  if (error == Code::body_limit) return refuse(413, "the body is too large");
  if (error == Code::header_limit) return refuse(431, "the headers are too large");
  if (error == Code::bad_version) return refuse(505, "this server speaks HTTP/1.1");
  refuse(400, "not an HTTP request: " + error.message());
}

void Connection::dispatch() {
  request_.body = std::move(parser_->get().body());
  phase_ = Phase::kHandling;
  ++deadline_;  // the handler has no time limit
  if (input_ended_) tell_gone();
  if (request_.method == "OPTIONS" && !request_.header("Access-Control-Request-Method").empty())
    return answer_preflight();
  auto exchange = std::make_shared<Exchange>(shared_from_this(), std::move(request_));
  asio::post(core_->pool, [core = core_, exchange = std::move(exchange)] {
    try {
      core->handler(exchange);
    } catch (const std::exception& error) {
      const std::string message = error.what();
      exchange->respond(core->options.refuse
                            ? core->options.refuse(exchange->request(), 500, message)
                            : Response{.status = 500,
                                       .content_type = "text/plain; charset=utf-8",
                                       .body = message + "\n"});
      exchange->cut();  // if it streamed already
    }
  });
}

void Connection::answer_preflight() {
  Response response{.status = 204,
                    .content_type = "",
                    .headers = {{"Access-Control-Allow-Methods", "GET, POST, DELETE"},
                                {"Access-Control-Allow-Headers",
                                 std::string(request_.header("Access-Control-Request-Headers"))},
                                {"Access-Control-Max-Age", "600"}}};
  bool chunked = false;
  send(answer_head(response, false, chunked), Then::kDone);
}

void Connection::refuse(int status, const std::string& message) {
  Response response = options().refuse ? options().refuse(request_, status, message)
                                       : Response{.status = status,
                                                  .content_type = "text/plain; charset=utf-8",
                                                  .body = message + "\n"};
  if (status == 401) response.headers.push_back({"WWW-Authenticate", "Bearer"});
  if (status == 503) response.headers.push_back({"Retry-After", "1"});
  phase_ = Phase::kHandling;
  ++deadline_;
  keep_alive_ = false;  // what follows cannot be told apart from the rest of this request
  input_.clear();
  bool chunked = false;
  const std::string head = answer_head(response, false, chunked);
  send(head_only_ ? head : head + response.body, Then::kDone);
}

std::string Connection::answer_head(Response& response, bool streamed, bool& chunked) {
  chunked = streamed && !old_client_;
  if (streamed && old_client_) keep_alive_ = false;
  if (!cors_origin_.empty()) {
    response.headers.push_back({"Access-Control-Allow-Origin", cors_origin_});
    response.headers.push_back({"Vary", "Origin"});
  }
  const Framing framing = !streamed ? Framing::kLength
                          : chunked ? Framing::kChunked
                                    : Framing::kUntilClose;
  return head_text(response, framing, keep_alive_);
}

bool Connection::send(std::string bytes, Then then) {
  const std::lock_guard lock(mutex_);
  if (answer_done_) return false;
  unsent_bytes_ += bytes.size();
  if (then == Then::kMore && unsent_bytes_ > options().limits.unsent_bytes) then = Then::kCut;
  unsent_ += bytes;
  answer_done_ = then != Then::kMore;
  answer_cut_ = then == Then::kCut;
  if (!flush_posted_) {
    flush_posted_ = true;
    core_->post([self = shared_from_this()] { self->write(); });
  }
  return !gone_ && !answer_cut_;
}

void Connection::write() {
  if (closed_ || write_running_) return;
  bool done, cut;
  {
    const std::lock_guard lock(mutex_);
    flush_posted_ = false;
    writing_.swap(unsent_);
    done = answer_done_;
    cut = answer_cut_;
  }
  if (writing_.empty()) {
    if (cut) return close();
    if (done) answer_sent();
    return;
  }
  written_ = 0;
  write_piece();
}

void Connection::write_piece() {
  write_running_ = true;
  set_deadline(options().limits.write_seconds, &Connection::close);
  socket_.async_write_some(asio::buffer(writing_.data() + written_, writing_.size() - written_),
                           [self = shared_from_this()](error_code error, size_t size) {
                             self->write_running_ = false;
                             self->on_written(error, size);
                           });
}

void Connection::on_written(error_code error, size_t size) {
  if (closed_) return;
  if (error) return close();
  {
    const std::lock_guard lock(mutex_);
    unsent_bytes_ -= size;
  }
  taken_.notify_all();
  written_ += size;
  if (written_ < writing_.size()) return write_piece();
  writing_.clear();
  if (phase_ != Phase::kHandling) return;
  ++deadline_;
  write();  // what came meanwhile, or the end
}

void Connection::answer_sent() {
  if (phase_ != Phase::kHandling) return;
  core_->body_bytes -= counted_body_;
  counted_body_ = 0;
  if (!keep_alive_ || core_->draining || (input_ended_ && input_.empty())) return linger();
  next_request();
}

/// Closes so that the client can read the answer: what it still sends is read and thrown away for a
/// while, since closing on unread bytes resets the connection.
void Connection::linger() {
  if (input_ended_) return close();
  phase_ = Phase::kLingering;
  error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  set_deadline(kLingerSeconds, &Connection::close);
  read();
}

void Connection::close_if_idle() {
  if (phase_ == Phase::kHead && !head_begun_) close();
}

void Connection::close() {
  if (closed_) return;
  closed_ = true;
  ++deadline_;
  timer_.cancel();
  error_code ignored;
  socket_.close(ignored);
  core_->body_bytes -= counted_body_;
  counted_body_ = 0;
  tell_gone();
  core_->connections.erase(shared_from_this());
  const std::lock_guard lock(core_->mutex);
  --core_->connection_count;
  core_->changed.notify_all();
}

void Connection::tell_gone() {
  std::function<void()> tell;
  {
    const std::lock_guard lock(mutex_);
    gone_ = true;
    tell.swap(tell_gone_);
  }
  taken_.notify_all();
  if (tell) tell();
}

bool Connection::gone() const {
  const std::lock_guard lock(mutex_);
  return gone_;
}

void Connection::when_gone(std::function<void()> tell) {
  {
    const std::lock_guard lock(mutex_);
    if (!gone_) {
      tell_gone_ = std::move(tell);
      return;
    }
  }
  tell();
}

size_t Connection::unsent_bytes() const {
  const std::lock_guard lock(mutex_);
  return unsent_bytes_;
}

bool Connection::wait_for_client(size_t at_most_bytes) const {
  std::unique_lock lock(mutex_);
  taken_.wait(lock, [&] { return gone_ || unsent_bytes_ <= at_most_bytes; });
  return !gone_;
}

}  // namespace toolkit::http::server
