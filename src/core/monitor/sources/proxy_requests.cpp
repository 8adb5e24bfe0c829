#include "core/monitor/sources/proxy_requests.h"

#include "core/base/error.h"
#include "core/monitor/sources/ollama_answers.h"

namespace toolkit::monitor {

namespace {

constexpr size_t kMostEntries = 1000;

std::optional<double> speed_of(const Json& entry) {
  const auto found = entry.find("tokens_per_second");
  if (found == entry.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

Quality quality_of(const Json& entry) {
  const std::string name = text_of(entry, "quality");
  for (const Quality quality : {Quality::kEstimated, Quality::kLive, Quality::kExact})
    if (name == quality_name(quality)) return quality;
  return Quality::kUnknown;
}

Json speed_json(const std::optional<double>& speed) {
  return speed ? Json(*speed) : Json();
}

const Json& list_of(const Json& answer, const char* key) {
  static const Json kEmpty = Json::array();
  const auto found = answer.find(key);
  return found != answer.end() && found->is_array() && found->size() <= kMostEntries ? *found
                                                                                     : kEmpty;
}

}  // namespace

Json to_json(const ProxyRequests& requests) {
  Json running = Json::array(), finished = Json::array();
  for (const RunningRequest& one : requests.running)
    running.push_back({{"id", one.id},
                       {"model", one.model},
                       {"tokens", one.tokens.value_or(0)},
                       {"reading_prompt", one.reading_prompt},
                       {"tokens_per_second", speed_json(one.tokens_per_second)},
                       {"quality", quality_name(one.quality)}});
  for (const auto& [sequence, one] : requests.finished)
    finished.push_back({{"sequence", sequence},
                        {"model", one.model},
                        {"tokens", one.tokens},
                        {"tokens_per_second", speed_json(one.tokens_per_second)},
                        {"quality", quality_name(one.quality)}});
  return {{"program", "mlx-dash"},
          {"upstream", requests.upstream},
          {"started", requests.started},
          {"running", running},
          {"finished", finished}};
}

ProxyRequests parse_proxy_requests(const Json& answer) {
  if (text_of(answer, "program") != "mlx-dash")
    fail(ErrorKind::kUserInput, "expected the requests of `mlx-dash proxy`, found another answer");
  ProxyRequests requests{.upstream = text_of(answer, "upstream"),
                         .started = text_of(answer, "started")};
  for (const Json& entry : list_of(answer, "running")) {
    if (!entry.is_object()) continue;
    const auto reading = entry.find("reading_prompt");
    requests.running.push_back(
        {.id = text_of(entry, "id"),
         .model = text_of(entry, "model"),
         .server = requests.upstream,
         .way = Way::kProxy,
         .quality = quality_of(entry),
         .reading_prompt = reading != entry.end() && reading->is_boolean() && reading->get<bool>(),
         .tokens = number_of(entry, "tokens"),
         .tokens_per_second = speed_of(entry)});
  }
  for (const Json& entry : list_of(answer, "finished"))
    if (entry.is_object())
      requests.finished.push_back({number_of(entry, "sequence").value_or(0),
                                   {.model = text_of(entry, "model"),
                                    .server = requests.upstream,
                                    .way = Way::kProxy,
                                    .quality = quality_of(entry),
                                    .tokens = number_of(entry, "tokens").value_or(0),
                                    .tokens_per_second = speed_of(entry)}});
  return requests;
}

}  // namespace toolkit::monitor
