#include <fmt/format.h>

#include <bit>

#include "core/base/elapsed.h"
#include "projects/serve/api_error.h"
#include "projects/serve/ollama_answer.h"
#include "projects/serve/routes.h"

namespace toolkit::serve {

namespace {

constexpr size_t kMostTexts = 2048, kMostTextBytes = 1 << 20;

std::vector<std::string> read_texts(const Members& body, const char* name) {
  const OrderedJson* given = body.any(name);
  if (!given) body.refuse(name, "a text or a list of texts");
  if (given->is_array() && !given->empty() && !(*given)[0].is_string())
    body.refuse(name,
                "texts, not token ids (LangChain: OpenAIEmbeddings(check_embedding_ctx_length="
                "False))");
  std::vector<std::string> texts = body.texts(name, kMostTexts, kMostTextBytes);
  if (texts.empty()) body.refuse(name, "at least one text");
  return texts;
}

/// 32-bit floats, little-endian, in base64: what OpenAI's client asks for.
std::string base64_floats(const std::vector<float>& values) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  for (const float value : values) {
    const auto bits = std::bit_cast<uint32_t>(value);
    for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(bits >> shift & 0xff);
  }
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k)
      group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0);
    for (int k = 0; k < 4; ++k)
      text +=
          i + static_cast<size_t>(k) <= bytes.size() ? kDigits[group >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

using Embeddings = std::vector<engine::TextEmbedding>;

void embed(const Call& call, const std::string& name, std::optional<double> keep_alive,
           std::vector<std::string> texts,
           std::function<void(const Embeddings&, double load_seconds)> then) {
  const ServedModel model = call.service.names.find(name);
  if (!model.adapter.empty())
    throw ApiError(400, "embeddings are made by models, not by adapters: name " + model.base,
                   "model");
  const Embedders::Then made = [texts = std::move(texts), then = std::move(then)](
                                   const engine::TextEmbedder& embedder, double load_seconds) {
    then(embedder.embed(texts), load_seconds);
  };
  const Embedders::Failed failed = [call](const std::exception_ptr& error) {
    fail_call(call, error);
  };
  const auto check = [](bool taken) {
    if (taken) return;
    ApiError error(429, "too many requests for embeddings are waiting: try again later");
    error.retry_after_seconds = 1;
    throw error;
  };
  Embedders& embedders = *call.service.embedders;
  if (engine::is_text_encoder(model.base))
    return check(embedders.use(model.base, keep_alive, made, failed));
  with_model(call, name, keep_alive, [&embedders, check, made, failed](ModelLease lease) {
    check(embedders.use(std::move(lease), made, failed));
  });
}

int tokens_of(const Embeddings& embeddings) {
  int tokens = 0;
  for (const engine::TextEmbedding& one : embeddings) tokens += one.tokens;
  return tokens;
}

void openai_embeddings(const Call& call) {
  const OrderedJson json = json_body(call);
  const Members body(json);
  const std::string model = body.need_text("model");
  const std::string format = body.text("encoding_format").value_or("float");
  if (format != "float" && format != "base64") body.refuse("encoding_format", "float or base64");
  const auto dimensions = body.integer("dimensions", 1);
  embed(call, model, std::nullopt, read_texts(body, "input"),
        [=](const Embeddings& embeddings, double) {
          Json data = Json::array();
          for (const engine::TextEmbedding& one : embeddings) {
            if (dimensions && *dimensions != static_cast<int64_t>(one.values.size()))
              throw ApiError(400, fmt::format("'dimensions': this model has {}", one.values.size()),
                             "dimensions");
            data.push_back({{"object", "embedding"},
                            {"index", data.size()},
                            {"embedding", format == "base64" ? Json(base64_floats(one.values))
                                                             : Json(one.values)}});
          }
          const int tokens = tokens_of(embeddings);
          respond_json(call, {{"object", "list"},
                              {"model", model},
                              {"data", data},
                              {"usage", {{"prompt_tokens", tokens}, {"total_tokens", tokens}}}});
        });
}

void ollama_embed(const Call& call) {
  const OrderedJson json = json_body(call);
  const Members body(json);
  const std::string model = body.need_text("model");
  const bool truncate = body.boolean("truncate").value_or(true);
  const auto begin = std::chrono::steady_clock::now();
  embed(call, model, read_keep_alive(body), read_texts(body, "input"),
        [=](const Embeddings& embeddings, double load) {
          Json all = Json::array();
          for (const engine::TextEmbedding& one : embeddings) {
            if (one.truncated && !truncate)
              throw ApiError(400, "the input is longer than the model's context", "input");
            all.push_back(one.values);
          }
          const double seconds = seconds_since(begin);
          respond_json(call, {{"model", model},
                              {"embeddings", all},
                              {"total_duration", static_cast<int64_t>(seconds * 1e9)},
                              {"load_duration", static_cast<int64_t>(load * 1e9)},
                              {"prompt_eval_count", tokens_of(embeddings)}});
        });
}

void ollama_embeddings(const Call& call) {
  const OrderedJson json = json_body(call);
  const Members body(json);
  embed(call, body.need_text("model"), read_keep_alive(body), {body.need_text("prompt")},
        [=](const Embeddings& embeddings, double) {
          respond_json(call, {{"embedding", embeddings.at(0).values}});
        });
}

}  // namespace

void add_embeddings_routes(std::vector<Route>& routes) {
  routes.push_back({"POST", "/v1/embeddings", openai_embeddings});
  routes.push_back({"POST", "/api/embed", ollama_embed});
  routes.push_back({"POST", "/api/embeddings", ollama_embeddings});
}

}  // namespace toolkit::serve
