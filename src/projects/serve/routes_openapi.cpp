#include "projects/serve/routes.h"

namespace toolkit::serve {

namespace {

constexpr const char* kSchemas = R"json({
"Message": {"type": "object", "required": ["role"], "properties": {
  "role": {"enum": ["system", "developer", "user", "assistant", "tool"]},
  "content": {"description": "text, or text parts", "type": ["string", "array", "null"]},
  "tool_calls": {"type": ["array", "null"], "items": {"type": "object"}},
  "tool_call_id": {"type": ["string", "null"]}}},
"Sampling": {"type": "object", "required": ["model"], "properties": {
  "model": {"type": "string"},
  "temperature": {"type": ["number", "null"], "minimum": 0, "maximum": 2},
  "top_p": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
  "top_k": {"type": ["integer", "null"], "minimum": -1},
  "min_p": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
  "presence_penalty": {"type": ["number", "null"], "minimum": -2, "maximum": 2},
  "frequency_penalty": {"type": ["number", "null"], "minimum": -2, "maximum": 2},
  "repetition_penalty": {"type": ["number", "null"], "minimum": 0.01, "maximum": 100},
  "seed": {"type": ["integer", "null"]},
  "n": {"type": ["integer", "null"], "minimum": 1, "maximum": 64},
  "max_tokens": {"type": ["integer", "null"], "minimum": 0},
  "stop": {"type": ["string", "array", "null"], "items": {"type": "string"}},
  "logit_bias": {"type": ["object", "null"], "additionalProperties": {"type": "number"}},
  "stream": {"type": ["boolean", "null"]},
  "stream_options": {"type": ["object", "null"], "properties": {"include_usage": {"type": "boolean"}}}}},
"ChatRequest": {"allOf": [{"$ref": "#/components/schemas/Sampling"}, {"type": "object",
  "required": ["messages"], "properties": {
  "messages": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Message"}},
  "max_completion_tokens": {"type": ["integer", "null"], "minimum": 1},
  "logprobs": {"type": ["boolean", "null"]},
  "top_logprobs": {"type": ["integer", "null"], "minimum": 0, "maximum": 20},
  "tools": {"type": ["array", "null"], "items": {"type": "object"}},
  "tool_choice": {"type": ["string", "object", "null"]},
  "chat_template_kwargs": {"type": ["object", "null"]},
  "response_format": {"type": ["object", "null"], "required": ["type"], "properties": {
    "type": {"enum": ["text", "json_object", "json_schema"]},
    "json_schema": {"type": "object"}}}}}]},
"CompletionRequest": {"allOf": [{"$ref": "#/components/schemas/Sampling"}, {"type": "object",
  "required": ["prompt"], "properties": {
  "prompt": {"description": "a text, token ids, or a list of these", "type": ["string", "array"]},
  "echo": {"type": ["boolean", "null"]},
  "logprobs": {"type": ["integer", "null"], "minimum": 0, "maximum": 20}}}]},
"EmbeddingsRequest": {"type": "object", "required": ["model", "input"], "properties": {
  "model": {"type": "string"},
  "input": {"type": ["string", "array"], "items": {"type": "string"}},
  "encoding_format": {"enum": ["float", "base64"]},
  "dimensions": {"type": "integer", "minimum": 1}}},
"JobRequest": {"type": "object", "required": ["model", "training_file"], "properties": {
  "model": {"type": "string"},
  "training_file": {"type": "string"},
  "validation_file": {"type": ["string", "null"]},
  "suffix": {"type": ["string", "null"], "pattern": "^[A-Za-z0-9_-]{0,64}$"},
  "seed": {"type": ["integer", "null"], "minimum": 0},
  "method": {"type": ["object", "null"], "required": ["type"], "properties": {
    "type": {"enum": ["supervised", "dpo"]}}}}},
"OllamaChatRequest": {"type": "object", "required": ["model"], "properties": {
  "model": {"type": "string"},
  "messages": {"type": "array", "items": {"$ref": "#/components/schemas/Message"}},
  "tools": {"type": "array", "items": {"type": "object"}},
  "format": {"description": "\"json\" or a JSON Schema", "type": ["string", "object", "null"]},
  "options": {"type": ["object", "null"]},
  "think": {"type": ["boolean", "string", "null"]},
  "stream": {"type": ["boolean", "null"]},
  "keep_alive": {"type": ["string", "number", "null"]}}},
"OllamaGenerateRequest": {"type": "object", "required": ["model"], "properties": {
  "model": {"type": "string"},
  "prompt": {"type": ["string", "null"]},
  "system": {"type": ["string", "null"]},
  "raw": {"type": ["boolean", "null"]},
  "format": {"description": "\"json\" or a JSON Schema", "type": ["string", "object", "null"]},
  "options": {"type": ["object", "null"]},
  "think": {"type": ["boolean", "string", "null"]},
  "stream": {"type": ["boolean", "null"]},
  "keep_alive": {"type": ["string", "number", "null"]}}},
"OllamaEmbedRequest": {"type": "object", "required": ["model", "input"], "properties": {
  "model": {"type": "string"},
  "input": {"type": ["string", "array"], "items": {"type": "string"}},
  "truncate": {"type": ["boolean", "null"]}}},
"ModelRequest": {"type": "object", "required": ["model"], "properties": {
  "model": {"type": "string"}, "stream": {"type": ["boolean", "null"]}}},
"PromptRequest": {"type": "object", "required": ["model", "prompt"], "properties": {
  "model": {"type": "string"}, "prompt": {"type": "string"}}},
"Usage": {"type": "object", "required": ["prompt_tokens", "completion_tokens", "total_tokens"],
  "properties": {"prompt_tokens": {"type": "integer"}, "completion_tokens": {"type": "integer"},
  "total_tokens": {"type": "integer"}}},
"ChatAnswer": {"type": "object", "required": ["id", "object", "created", "model", "choices", "usage"],
  "properties": {"object": {"const": "chat.completion"}, "created": {"type": "integer"},
  "usage": {"$ref": "#/components/schemas/Usage"},
  "choices": {"type": "array", "minItems": 1, "items": {"type": "object",
    "required": ["index", "message", "finish_reason"], "properties": {
    "finish_reason": {"enum": ["stop", "length", "tool_calls"]},
    "message": {"type": "object", "required": ["role", "content"], "properties": {
      "role": {"const": "assistant"}, "content": {"type": ["string", "null"]}}}}}}}},
"CompletionAnswer": {"type": "object", "required": ["id", "object", "created", "model", "choices", "usage"],
  "properties": {"object": {"const": "text_completion"}, "created": {"type": "integer"},
  "usage": {"$ref": "#/components/schemas/Usage"},
  "choices": {"type": "array", "items": {"type": "object",
    "required": ["index", "text", "finish_reason"], "properties": {
    "text": {"type": "string"}, "finish_reason": {"enum": ["stop", "length"]}}}}}},
"EmbeddingsAnswer": {"type": "object", "required": ["object", "data", "model", "usage"], "properties": {
  "object": {"const": "list"}, "data": {"type": "array", "items": {"type": "object",
    "required": ["object", "index", "embedding"], "properties": {
    "embedding": {"type": ["array", "string"], "items": {"type": "number"}}}}}}},
"List": {"type": "object", "required": ["object", "data"], "properties": {
  "object": {"const": "list"}, "data": {"type": "array", "items": {"type": "object",
    "required": ["id", "object"]}}}},
"Job": {"type": "object", "required": ["id", "object", "status", "model", "training_file"],
  "properties": {"object": {"const": "fine_tuning.job"}, "status": {"enum": ["validating_files",
    "queued", "running", "succeeded", "failed", "cancelled"]}}},
"OllamaModels": {"type": "object", "required": ["models"], "properties": {"models": {
  "type": "array", "items": {"type": "object", "required": ["name", "model", "size", "digest"]}}}},
"OllamaChatAnswer": {"type": "object", "required": ["model", "created_at", "done", "message"]},
"OllamaGenerateAnswer": {"type": "object", "required": ["model", "created_at", "done", "response"]},
"Error": {"type": "object", "required": ["error"], "properties": {"error": {
  "description": "a text (/api) or an object with message, type, param and code (/v1)",
  "type": ["string", "object"]}}}
})json";

struct Described {
  const char* method;
  const char* path;
  const char* summary;
  const char* body;         // name of its schema; "": none
  const char* answer = "";  // the same; "": not described
  const char* stream = "";  // type of a streamed answer
};

constexpr Described kDescribed[] = {
    {"GET", "/health", "Whether requests can be answered", ""},
    {"GET", "/metrics", "Numbers for Prometheus", ""},
    {"GET", "/slots", "What runs and waits, without text", ""},
    {"GET", "/openapi.json", "This document", ""},
    {"GET", "/v1/models", "The models there are", "", "List"},
    {"GET", "/v1/models/{name...}", "One model", ""},
    {"DELETE", "/v1/models/{name...}", "Delete a model that was fine-tuned here", ""},
    {"POST", "/v1/chat/completions", "Answer a conversation", "ChatRequest", "ChatAnswer",
     "text/event-stream"},
    {"POST", "/v1/completions", "Continue texts", "CompletionRequest", "CompletionAnswer",
     "text/event-stream"},
    {"POST", "/v1/embeddings", "Vectors of texts", "EmbeddingsRequest", "EmbeddingsAnswer"},
    {"POST", "/v1/files", "Upload a file of training rows (multipart/form-data)", ""},
    {"GET", "/v1/files", "Uploaded files", "", "List"},
    {"GET", "/v1/files/{name}", "One file", ""},
    {"DELETE", "/v1/files/{name}", "Delete a file", ""},
    {"GET", "/v1/files/{name}/content", "What is in a file", ""},
    {"POST", "/v1/fine_tuning/jobs", "Fine-tune a model", "JobRequest", "Job"},
    {"GET", "/v1/fine_tuning/jobs", "Fine-tuning jobs", "", "List"},
    {"GET", "/v1/fine_tuning/jobs/{name}", "One job", "", "Job"},
    {"POST", "/v1/fine_tuning/jobs/{name}/cancel", "End a job", "", "Job"},
    {"GET", "/v1/fine_tuning/jobs/{name}/events", "What happened in a job, newest first", ""},
    {"GET", "/v1/fine_tuning/jobs/{name}/checkpoints", "Adapters saved on the way", ""},
    {"GET", "/", "Ollama is running", ""},
    {"GET", "/api/version", "The level of Ollama's API", ""},
    {"GET", "/api/tags", "The models there are", "", "OllamaModels"},
    {"GET", "/api/ps", "The models in memory", "", "OllamaModels"},
    {"POST", "/api/show", "What a model is", "ModelRequest"},
    {"POST", "/api/chat", "Answer a conversation", "OllamaChatRequest", "OllamaChatAnswer",
     "application/x-ndjson"},
    {"POST", "/api/generate", "Answer a prompt", "OllamaGenerateRequest", "OllamaGenerateAnswer",
     "application/x-ndjson"},
    {"POST", "/api/embed", "Vectors of texts", "OllamaEmbedRequest"},
    {"POST", "/api/embeddings", "The vector of a text", "PromptRequest"},
    {"POST", "/api/pull", "Bring a model into the store", "ModelRequest"},
    {"DELETE", "/api/delete", "Delete a model", "ModelRequest"},
    {"POST", "/api/copy", "Refused: models have one name", ""},
    {"POST", "/api/create", "Refused: models are made by fine-tuning jobs", ""},
    {"POST", "/api/push", "Refused: no model leaves this server", ""},
    {"POST", "/api/blobs/{name}", "Refused: nothing is stored under a client's digest", ""},
};

Json json_content(const std::string& schema) {
  return {{"application/json", {{"schema", {{"$ref", "#/components/schemas/" + schema}}}}}};
}

Json responses() {
  Json all = {{"200", {{"description", "the answer"}}}};
  const Json error = {{"description", "why not"}, {"content", json_content("Error")}};
  for (const char* status : {"400", "401", "403", "404", "405", "408", "413", "415", "429", "431",
                             "500", "502", "503", "507"})
    all[status] = error;
  return all;
}

Json operation(const Route& route) {
  Json made = {{"responses", responses()}};
  for (const Described& one : kDescribed) {
    if (route.method != one.method || route.path != one.path) continue;
    made["summary"] = one.summary;
    if (*one.body) made["requestBody"] = {{"required", true}, {"content", json_content(one.body)}};
    if (*one.answer) made["responses"]["200"]["content"] = json_content(one.answer);
    if (*one.stream) made["responses"]["200"]["content"][one.stream] = Json::object();
  }
  if (route.path.find('{') != std::string::npos)
    made["parameters"] = Json::array(
        {{{"name", "name"}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}}});
  return made;
}

void openapi(const Call& call) {
  Json paths = Json::object();
  for (const Route& route : all_routes()) {
    std::string path = route.path, method = route.method;
    if (const size_t dots = path.find("...}"); dots != std::string::npos) path.erase(dots, 3);
    for (char& c : method) c = static_cast<char>(c - 'A' + 'a');
    paths[path][method] = operation(route);
  }
  respond_json(call,
               {{"openapi", "3.1.0"},
                {"info", {{"title", "mlx-toolkit serve"}, {"version", call.service.version}}},
                {"security", Json::array({Json::object(), {{"token", Json::array()}}})},
                {"paths", paths},
                {"components",
                 {{"schemas", Json::parse(kSchemas)},
                  {"securitySchemes", {{"token", {{"type", "http"}, {"scheme", "bearer"}}}}}}}});
}

}  // namespace

void add_openapi_routes(std::vector<Route>& routes) {
  routes.push_back({"GET", "/openapi.json", openapi});
}

}  // namespace toolkit::serve
