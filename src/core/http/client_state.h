#pragma once

#include <curl/curl.h>

#include <chrono>
#include <string>
#include <vector>

#include "core/base/random.h"
#include "core/http/client.h"
#include "core/http/exchange.h"

namespace toolkit::http {

/// Several exchanges at work on one thread. Connections stay open for the next.
class ExchangeLoop {
 public:
  ExchangeLoop();
  ~ExchangeLoop();
  ExchangeLoop(const ExchangeLoop&) = delete;
  ExchangeLoop& operator=(const ExchangeLoop&) = delete;

  void start(Exchange& exchange);
  /// Takes one out, ended or not; must be called before it is destroyed.
  void remove(Exchange& exchange);
  /// Moves what can be moved, waiting at most `patience` for something to do; ended exchanges then
  /// say so themselves.
  void run(std::chrono::milliseconds patience);
  void wake();  // ends a wait in run(), from any thread

 private:
  CURLM* multi_ = nullptr;
  std::vector<Exchange*> active_;
};

struct ClientState {
  ClientSettings settings;
  Random random{0};
  ExchangeLoop loop;
};

/// The way of download.cpp to a client's inside.
struct ClientAccess {
  static ClientState& state(Client& client) { return *client.state_; }
};

struct PlannedRetry {
  std::chrono::milliseconds wait{0};
  std::string note;  // "huggingface.co: 503, again in 2.0 s (attempt 2 of 6)"
};
/// After the attempt of that number, counted from 1.
PlannedRetry plan_retry(ClientState& client, const Url& url, const std::string& what, int attempt,
                        std::optional<std::chrono::seconds> retry_after);

/// Why no answer came, with the next step.
std::string no_answer_message(const Url& url, const std::string& trouble, int attempts);

/// Throws Error(kNetwork) "stopped ..." once Ctrl-C was pressed.
void check_interrupt();

}  // namespace toolkit::http
