#include "core/http/range_answer.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "core/files/safe_path.h"
#include "core/http/exchange.h"
#include "core/http/route.h"

namespace toolkit::http {

namespace {

using Kind = RangeVerdict::Kind;

std::optional<uint64_t> whole_number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

struct ContentRange {
  uint64_t first = 0, last = 0;
  std::optional<uint64_t> total;  // none: '*'
};

std::optional<ContentRange> parse_content_range(std::string_view text) {
  if (!text.starts_with("bytes ")) return std::nullopt;
  text.remove_prefix(6);
  const size_t dash = text.find('-'), slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || dash > slash)
    return std::nullopt;
  const auto first = whole_number(text.substr(0, dash));
  const auto last = whole_number(text.substr(dash + 1, slash - dash - 1));
  const std::string_view total = text.substr(slash + 1);
  if (!first || !last || *last < *first) return std::nullopt;
  ContentRange range{*first, *last, whole_number(total)};
  if (!range.total && total != "*") return std::nullopt;
  return range;
}

RangeVerdict refuse(std::string why) {
  return {.kind = Kind::kRefuse, .why = std::move(why)};
}

std::string status_words(int status) {
  if (status == 401 || status == 403)
    return fmt::format(
        "no permission ({}): it may be gated or private, or the token is missing or "
        "not allowed to read it",
        status);
  if (status == 404 || status == 410) return fmt::format("it is not there any more ({})", status);
  return fmt::format("answer {}", status);
}

RangeVerdict judge_partial(const RangeRequest& asked, const std::vector<Header>& headers) {
  const std::string text = find_header(headers, "Content-Range").value_or("");
  const auto range = parse_content_range(text);
  if (!range)
    return refuse(fmt::format("expected 'Content-Range: bytes {}-{}/{}', found '{}'", asked.begin,
                              asked.end - 1, asked.size, files::escaped(text.substr(0, 80))));
  if (range->total && *range->total != asked.size)
    return refuse(
        fmt::format("expected {} bytes as listed, the server has {}", asked.size, *range->total));
  if (range->first != asked.begin || range->last >= asked.end)
    return refuse(fmt::format("asked for bytes {}-{}, the server sends {}-{}", asked.begin,
                              asked.end - 1, range->first, range->last));
  return {.kind = Kind::kTake, .take_bytes = range->last - range->first + 1};
}

}  // namespace

RangeVerdict judge_range_answer(const RangeRequest& asked, int status,
                                const std::vector<Header>& headers) {
  if (is_redirect(status)) return {.kind = Kind::kRedirect};
  if (is_retryable(status)) return {.kind = Kind::kRetry, .why = std::to_string(status)};
  if (status == 412 || status == 416)
    return {.kind = Kind::kRestart,
            .why = fmt::format("the server does not go on there ({})", status)};
  if (status != 200 && status != 206) return refuse(status_words(status));

  const std::string encoding = find_header(headers, "Content-Encoding").value_or("identity");
  if (!encoding.empty() && encoding != "identity")
    return refuse(fmt::format("expected the file as it is, the server sends it as '{}'",
                              files::escaped(encoding.substr(0, 40))));
  const std::string etag = find_header(headers, "ETag").value_or("");
  const bool changed = !asked.etag.empty() && !etag.empty() && asked.etag != etag;

  RangeVerdict verdict;
  if (status == 206) {
    verdict = judge_partial(asked, headers);
    if (changed) return {.kind = Kind::kRestart, .why = "it was changed on the server (ETag)"};
    if (verdict.kind == Kind::kRefuse) return verdict;
  } else {
    const bool as_asked = asked.begin == 0 && asked.end == asked.size && asked.only_range;
    verdict = {.kind = as_asked ? Kind::kTake : Kind::kWholeFile, .take_bytes = asked.size};
    if (!as_asked)
      verdict.why =
          changed ? "it was changed on the server (ETag)" : "the server sends it only whole";
  }
  const auto length_text = find_header(headers, "Content-Length");
  const auto length = length_text ? whole_number(*length_text) : std::nullopt;
  if (length_text && length != verdict.take_bytes)
    return refuse(fmt::format("expected {} bytes as listed, the server sends {}",
                              verdict.take_bytes, files::escaped(length_text->substr(0, 40))));
  return verdict;
}

}  // namespace toolkit::http
