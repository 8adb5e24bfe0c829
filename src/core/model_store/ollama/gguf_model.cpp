#include "core/model_store/ollama/gguf_model.h"

#include <nlohmann/json.hpp>
#include <string_view>

#include "core/base/error.h"

namespace toolkit::model_store::ollama {

namespace {

/// Names of llama_ftype, by number (`general.file_type`); the empty ones are not in use any more.
constexpr const char* kFileTypes[] = {
    "F32",   "F16",     "Q4_0",   "Q4_1",   "",       "",        "",       "Q8_0",   "Q5_0",
    "Q5_1",  "Q2_K",    "Q3_K_S", "Q3_K_M", "Q3_K_L", "Q4_K_S",  "Q4_K_M", "Q5_K_S", "Q5_K_M",
    "Q6_K",  "IQ2_XXS", "IQ2_XS", "Q2_K_S", "IQ3_XS", "IQ3_XXS", "IQ1_S",  "IQ4_NL", "IQ3_S",
    "IQ3_M", "IQ2_S",   "IQ2_M",  "IQ4_XS", "IQ1_M",  "BF16",
};

std::string file_type(const checkpoint::GgufHeader& header) {
  const auto number = header.integer("general.file_type").value_or(-1);
  if (number < 0 || number >= static_cast<int64_t>(std::size(kFileTypes)) || !*kFileTypes[number])
    return "unknown";
  return kFileTypes[number];
}

/// "135M" when it is whole, else "134.52M", "1.2B": as `ollama list` and `show` print it.
std::string shown_count(uint64_t count) {
  const auto scaled = [&](double unit, const char* letter, int digits) {
    const double number = static_cast<double>(count) / unit;
    const bool whole = number == static_cast<double>(static_cast<uint64_t>(number));
    return fmt::format("{:.{}f}{}", number, whole ? 0 : digits, letter);
  };
  if (count >= 1'000'000'000) return scaled(1e9, "B", 1);
  if (count >= 1'000'000) return scaled(1e6, "M", 2);
  if (count >= 1'000) return scaled(1e3, "K", 0);
  return std::to_string(count);
}

uint64_t parameter_count(const checkpoint::GgufHeader& header) {
  uint64_t count = 0;
  for (const auto& tensor : header.tensors) {
    uint64_t values = 1;  // fits: the checked header has at least one byte for eight values
    for (const int64_t size : tensor.shape) values *= static_cast<uint64_t>(size);
    count += values;
  }
  return count;
}

/// What chat templates of one family have in common, and the same in Ollama's words.
struct Family {
  std::vector<std::string_view> marks;  // all of them stand in the model's template
  const char* template_text;
  std::vector<const char*> stop;
};

const std::vector<Family>& families() {
  static const std::vector<Family> known = {
      {{"<|im_start|>", "<|im_end|>"},
       "{{ range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}"
       "<|im_start|>assistant\n",
       {"<|im_start|>", "<|im_end|>"}},
      {{"<|start_header_id|>", "<|eot_id|>"},
       "{{ range .Messages }}<|start_header_id|>{{ .Role }}<|end_header_id|>\n\n"
       "{{ .Content }}<|eot_id|>{{ end }}<|start_header_id|>assistant<|end_header_id|>\n\n",
       {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"}},
      // Gemma has no system turn: its text comes before the question.
      {{"<start_of_turn>", "<end_of_turn>"},
       "{{ $system := \"\" }}{{ range .Messages }}"
       "{{ if eq .Role \"system\" }}{{ $system = printf \"%s\\n\\n\" .Content }}"
       "{{ else if eq .Role \"assistant\" }}<start_of_turn>model\n{{ .Content }}<end_of_turn>\n"
       "{{ else }}<start_of_turn>user\n{{ $system }}{{ .Content }}<end_of_turn>\n"
       "{{ $system = \"\" }}{{ end }}{{ end }}<start_of_turn>model\n",
       {"<start_of_turn>", "<end_of_turn>"}},
      {{"[INST]", "<<SYS>>"},
       "{{ range .Messages }}{{ if eq .Role \"system\" }}[INST] <<SYS>>\n{{ .Content }}\n<</SYS>>"
       "\n\n[/INST]{{ else if eq .Role \"user\" }}[INST] {{ .Content }} [/INST]"
       "{{ else }} {{ .Content }}</s>{{ end }}{{ end }}",
       {"[INST]", "[/INST]", "<<SYS>>", "<</SYS>>"}},
      {{"[INST]", "[/INST]"},
       "{{ range .Messages }}{{ if eq .Role \"assistant\" }} {{ .Content }}</s>"
       "{{ else }}[INST] {{ .Content }} [/INST]{{ end }}{{ end }}",
       {"[INST]", "[/INST]"}},
      {{"<|user|>", "<|end|>"},
       "{{ range .Messages }}<|{{ .Role }}|>\n{{ .Content }}<|end|>\n{{ end }}<|assistant|>\n",
       {"<|end|>", "<|system|>", "<|user|>", "<|assistant|>"}},
      {{"<|user|>", "<|assistant|>"},
       "{{ range .Messages }}<|{{ .Role }}|>\n{{ .Content }}</s>\n{{ end }}<|assistant|>\n",
       {"</s>", "<|system|>", "<|user|>", "<|assistant|>"}},
  };
  return known;
}

}  // namespace

std::string config_of_gguf(const checkpoint::GgufHeader& header,
                           const std::vector<hash::Digest>& layers) {
  const std::string family = header.text("general.architecture").value_or("unknown");
  nlohmann::ordered_json digests = nlohmann::ordered_json::array();
  for (const hash::Digest& digest : layers) digests.push_back("sha256:" + digest.hex);
  const nlohmann::ordered_json config = {
      {"model_format", "gguf"},
      {"model_family", family},
      {"model_families", nlohmann::ordered_json::array({family})},
      {"model_type", shown_count(parameter_count(header))},
      {"file_type", file_type(header)},
      {"architecture", "amd64"},  // what Ollama writes on every machine
      {"os", "linux"},
      {"rootfs", {{"type", "layers"}, {"diff_ids", std::move(digests)}}}};
  return config.dump();
}

ConversationBlobs conversation_of_template(const std::string& chat_template) {
  for (const Family& family : families()) {
    bool all = true;
    for (const std::string_view mark : family.marks)
      all = all && chat_template.find(mark) != chat_template.npos;
    if (all) return {family.template_text, nlohmann::json{{"stop", family.stop}}.dump() + "\n"};
  }
  return {};
}

ConversationBlobs conversation_of_gguf(const checkpoint::GgufHeader& header) {
  return conversation_of_template(header.text("tokenizer.chat_template").value_or(""));
}

}  // namespace toolkit::model_store::ollama
