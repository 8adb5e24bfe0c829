#include "core/http/stream.h"

#include <curl/curl.h>

#include <charconv>
#include <exception>
#include <memory>
#include <mutex>

#include "core/base/error.h"

namespace toolkit::http {

namespace {

struct Transfer {
  const StreamEvents& events;
  Response head;
  bool head_told = false, ended = false;
  std::exception_ptr error;  // of an event; it must not pass through libcurl

  /// Runs an event; false ends the transfer.
  template <class Call>
  bool tell(const Call& call) {
    try {
      if (call()) return true;
    } catch (...) {
      error = std::current_exception();
    }
    ended = true;
    return false;
  }
  bool tell_head() {
    if (head_told) return true;
    head_told = true;
    return tell([this] { return events.on_head(head); });
  }
};

void take_status(Transfer& transfer, std::string_view line) {
  transfer.head = {};
  const size_t blank = line.find(' ');
  if (blank != line.npos)
    std::from_chars(line.data() + blank + 1, line.data() + line.size(), transfer.head.status);
}

size_t on_header(char* bytes, size_t size, size_t count, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  std::string_view line(bytes, size * count);
  while (line.ends_with('\r') || line.ends_with('\n')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) {
    take_status(transfer, line);
  } else if (line.empty()) {
    // After 100 Continue and its like another head follows.
    if (transfer.head.status >= 200 && !transfer.tell_head()) return 0;
  } else if (const size_t colon = line.find(':'); colon != line.npos) {
    std::string_view value = line.substr(colon + 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    transfer.head.headers.push_back({std::string(line.substr(0, colon)), std::string(value)});
  }
  return size * count;
}

size_t on_body(char* bytes, size_t size, size_t count, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  const std::string_view text(bytes, size * count);
  if (!transfer.tell_head()) return 0;
  return transfer.tell([&] { return transfer.events.on_bytes(text); }) ? text.size() : 0;
}

int on_progress(void* context, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  auto& transfer = *static_cast<Transfer*>(context);
  return transfer.tell([&] { return transfer.events.goes_on(); }) ? 0 : 1;
}

struct HeaderList {
  curl_slist* list = nullptr;
  ~HeaderList() { curl_slist_free_all(list); }
  void add(const std::string& line) { list = curl_slist_append(list, line.c_str()); }
};

void set_request(CURL* easy, const Request& request, HeaderList& headers) {
  for (const Header& header : request.headers) headers.add(header.name + ": " + header.value);
  headers.add("Expect:");
  curl_easy_setopt(easy, CURLOPT_URL, request.url.text().c_str());
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  if (request.method == "HEAD") curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  if (!request.body.empty() || request.method == "POST") {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.data());
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
  }
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers.list);
}

}  // namespace

bool stream(const Request& request, const StreamEvents& events,
            std::chrono::milliseconds connect_timeout) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  const std::unique_ptr<CURL, void (*)(CURL*)> easy(curl_easy_init(), curl_easy_cleanup);
  if (!easy) fail(ErrorKind::kOutOfMemory, "no memory for a connection");
  Transfer transfer{.events = events};
  HeaderList headers;
  set_request(easy.get(), request, headers);
  curl_easy_setopt(easy.get(), CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy.get(), CURLOPT_PROXY, "");
  curl_easy_setopt(easy.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy.get(), CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(connect_timeout.count()));
  curl_easy_setopt(easy.get(), CURLOPT_HTTP_TRANSFER_DECODING, 1L);
  curl_easy_setopt(easy.get(), CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy.get(), CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy.get(), CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(easy.get(), CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(easy.get(), CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(easy.get(), CURLOPT_XFERINFODATA, &transfer);
  const CURLcode code = curl_easy_perform(easy.get());
  if (transfer.error) std::rethrow_exception(transfer.error);
  if (transfer.ended) return false;
  if (code != CURLE_OK)
    fail(ErrorKind::kNetwork, "{}: {}", shown_url(request.url), curl_easy_strerror(code));
  transfer.tell_head();
  if (transfer.error) std::rethrow_exception(transfer.error);
  return !transfer.ended;
}

}  // namespace toolkit::http
