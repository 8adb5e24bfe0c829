#include "core/http/exchange.h"

#include <strings.h>

#include <algorithm>
#include <cstdlib>
#include <exception>

#include "core/base/error.h"

namespace toolkit::http {

namespace {

constexpr size_t kMostHeaderBytes = 256 << 10;
constexpr double kSlowestBytesPerSecond = 1000;
constexpr long kReceiveBuffer = 256 << 10, kSmallReceiveBuffer = 16 << 10;

template <class Value>
void set(CURL* handle, CURLoption option, Value value) {
  const CURLcode code = curl_easy_setopt(handle, option, value);
  if (code != CURLE_OK)
    fail(ErrorKind::kInternal, "libcurl option {}: {}", static_cast<int>(option),
         curl_easy_strerror(code));
}

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

/// Certificates to trust instead of the system's: a company's proxy that ends TLS. Under the names
/// that huggingface_hub, OpenSSL, Go's programs and curl know.
std::string trusted_certificates(const ClientSettings& settings) {
  if (!settings.ca_file.empty()) return settings.ca_file;
  for (const char* name : {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"})
    if (const char* value = std::getenv(name); value && *value) return value;
  return "";
}

}  // namespace

std::optional<std::string> find_header(const std::vector<Header>& headers, std::string_view name) {
  for (const Header& header : headers)
    if (header.name.size() == name.size() &&
        ::strncasecmp(header.name.data(), name.data(), name.size()) == 0)
      return header.value;
  return std::nullopt;
}

Exchange::Exchange(const ClientSettings& settings, const Request& request, const Route& route,
                   Body body, const std::vector<Header>& more_headers)
    : settings_(settings), url_(route.url), url_text_(route.url.text()), body_(request.body) {
  handle_ = curl_easy_init();
  if (!handle_) fail(ErrorKind::kOutOfMemory, "no memory for a network request");
  set(handle_, CURLOPT_URL, url_text_.c_str());
  set(handle_, CURLOPT_PROTOCOLS_STR, "http,https");
  set(handle_, CURLOPT_NOSIGNAL, 1L);
  set(handle_, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  set(handle_, CURLOPT_USERAGENT, settings.user_agent.c_str());
  set(handle_, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(settings.connect_timeout.count()));
  set(handle_, CURLOPT_ERRORBUFFER, error_);
  set(handle_, CURLOPT_BUFFERSIZE, kReceiveBuffer);
  set(handle_, CURLOPT_TCP_KEEPALIVE, 1L);
  set(handle_, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  if (const std::string file = trusted_certificates(settings); !file.empty())
    set(handle_, CURLOPT_CAINFO, file.c_str());
  set(handle_, CURLOPT_HEADERFUNCTION, &Exchange::take_header);
  set(handle_, CURLOPT_HEADERDATA, this);
  set(handle_, CURLOPT_WRITEFUNCTION, &Exchange::take_body);
  set(handle_, CURLOPT_WRITEDATA, this);
  set(handle_, CURLOPT_PRIVATE, this);
  set_proxy();

  if (route.method == "HEAD") {
    set(handle_, CURLOPT_NOBODY, 1L);
  } else if (route.method != "GET") {
    set(handle_, CURLOPT_POST, 1L);
    set(handle_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body_.size()));
    set(handle_, CURLOPT_POSTFIELDS, body_.c_str());
    set(handle_, CURLOPT_CUSTOMREQUEST, route.method.c_str());
  }
  const auto add = [this](const std::string& line) {
    curl_slist* longer = curl_slist_append(request_headers_, line.c_str());
    if (!longer) fail(ErrorKind::kOutOfMemory, "no memory for a network request");
    request_headers_ = longer;
  };
  // A server answers with bytes as they are when told so; ranges count in those.
  if (body == Body::kDecoded)
    set(handle_, CURLOPT_ACCEPT_ENCODING, "");
  else
    add("Accept-Encoding: identity");
  for (const Header& header : request.headers) add(header.name + ": " + header.value);
  for (const Header& header : more_headers) add(header.name + ": " + header.value);
  if (route.with_token && !request.bearer_token.empty())
    add("Authorization: Bearer " + request.bearer_token);
  set(handle_, CURLOPT_HTTPHEADER, request_headers_);
}

Exchange::~Exchange() {
  curl_easy_cleanup(handle_);
  curl_slist_free_all(request_headers_);
}

void Exchange::set_proxy() {
  if (is_loopback(url_)) {  // a proxy cannot know this machine's servers
    set(handle_, CURLOPT_NOPROXY, "*");
    return;
  }
  // libcurl reads the other variables itself, but HTTP_PROXY only in small letters: in a CGI
  // program the capital one can come from a client's header.
  const char* proxy = std::getenv("HTTP_PROXY");
  if (url_.scheme == "http" && proxy && !std::getenv("http_proxy") &&
      !std::getenv("REQUEST_METHOD"))
    set(handle_, CURLOPT_PROXY, proxy);
}

size_t Exchange::take_header(char* bytes, size_t one, size_t count, void* self) {
  Exchange& exchange = *static_cast<Exchange*>(self);
  const size_t size = one * count;
  exchange.note_bytes(size);
  try {
    exchange.take_header_line({bytes, size});
  } catch (...) {
    exchange.thrown_ = std::current_exception();
  }
  return exchange.thrown_ || exchange.refused_ ? 0 : size;
}

void Exchange::take_header_line(std::string_view line) {
  if (headers_done_) return;  // trailers of a chunked body
  header_bytes_ += line.size();
  if (header_bytes_ > kMostHeaderBytes)
    fail(ErrorKind::kNetwork, "{}: more than {} KiB of headers: refused", shown_url(url_),
         kMostHeaderBytes >> 10);
  if (line.starts_with("HTTP/")) {
    headers_.clear();  // those of a 100 Continue
    return;
  }
  if (const size_t colon = line.find(':'); colon != std::string_view::npos && colon > 0) {
    headers_.push_back(
        {std::string(line.substr(0, colon)), std::string(trimmed(line.substr(colon + 1)))});
    return;
  }
  if (!trimmed(line).empty()) return;
  long status = 0;
  curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
  if (status < 200) return;
  headers_done_ = true;
  status_ = static_cast<int>(status);
  if (on_headers && !on_headers()) refused_ = true;
}

size_t Exchange::take_body(char* bytes, size_t one, size_t count, void* self) {
  Exchange& exchange = *static_cast<Exchange*>(self);
  const size_t size = one * count;
  exchange.note_bytes(size);
  exchange.body_bytes_ += size;
  try {
    if (exchange.on_body && !exchange.on_body(bytes, size)) exchange.refused_ = true;
  } catch (...) {
    exchange.thrown_ = std::current_exception();
  }
  return exchange.thrown_ || exchange.refused_ ? 0 : size;
}

void Exchange::note_bytes(size_t count) {
  last_byte_ = Clock::now();
  window_bytes_ += count;
}

bool Exchange::is_stalled(Clock::time_point now) {
  const std::chrono::duration<double> patience = settings_.stall_timeout;
  if (now - last_byte_ >= settings_.stall_timeout) return true;
  if (now - window_ < settings_.stall_timeout) return false;
  const bool slow = static_cast<double>(window_bytes_) < kSlowestBytesPerSecond * patience.count();
  window_ = now;
  window_bytes_ = 0;
  return rate_required_ && slow;
}

void Exchange::limit_rate(uint64_t bytes_per_second) {
  set(handle_, CURLOPT_MAX_RECV_SPEED_LARGE, static_cast<curl_off_t>(bytes_per_second));
  set(handle_, CURLOPT_BUFFERSIZE, kSmallReceiveBuffer);  // less in one go
}

std::optional<std::chrono::seconds> Exchange::retry_after() const {
  curl_off_t seconds = 0;
  if (curl_easy_getinfo(handle_, CURLINFO_RETRY_AFTER, &seconds) != CURLE_OK || seconds <= 0)
    return std::nullopt;
  return std::chrono::seconds(seconds);
}

std::optional<std::string> Exchange::header(std::string_view name) const {
  return find_header(headers_, name);
}

std::string Exchange::trouble() {
  if (thrown_) std::rethrow_exception(thrown_);
  if (refused_) return "";
  if (stalled_)
    return body_bytes_ == 0
               ? fmt::format("no answer within {} s",
                             std::chrono::duration<double>(settings_.stall_timeout).count())
               : fmt::format("too slow after {} bytes", body_bytes_);
  if (code_ == CURLE_OK) return "";
  if (code_ == CURLE_BAD_CONTENT_ENCODING) return "the compressed body is damaged";
  if (code_ == CURLE_PEER_FAILED_VERIFICATION)
    return fmt::format(
        "{} (SSL_CERT_FILE names the certificates to trust, where a proxy has its own)", error_);
  if (headers_done_) return fmt::format("connection lost after {} bytes", body_bytes_);
  return error_[0] ? error_ : curl_easy_strerror(code_);
}

bool Exchange::is_hopeless() const {
  return code_ == CURLE_PEER_FAILED_VERIFICATION || code_ == CURLE_SSL_CACERT_BADFILE ||
         code_ == CURLE_BAD_CONTENT_ENCODING;
}

bool Exchange::never_connected() const {
  return code_ == CURLE_COULDNT_CONNECT || code_ == CURLE_COULDNT_RESOLVE_HOST ||
         code_ == CURLE_COULDNT_RESOLVE_PROXY;
}

}  // namespace toolkit::http
