#include "core/model_store/ollama/gguf_model.h"

#include <doctest/doctest.h>

#include "core/base/json.h"
#include "core/base/testing.h"
#include "core/checkpoint/gguf_builder.h"

namespace toolkit::model_store::ollama {

namespace {

using testing::contains;

checkpoint::GgufHeader header_with(const std::string& chat_template) {
  checkpoint::GgufBuilder file;
  file.preamble(1, 3)
      .key_text("general.architecture", "llama")
      .key_u32("general.file_type", 3)
      .key_text("tokenizer.chat_template", chat_template)
      .tensor("token_embd.weight", {1000, 1345}, 0, 0)
      .pad()
      .zeros(size_t{1345} * 1000 * 4);
  return checkpoint::parse_gguf_header(file.bytes(), file.bytes().size(), "made.gguf");
}

std::string stops_for(const std::string& chat_template) {
  return conversation_of_gguf(header_with(chat_template)).params;
}

}  // namespace

TEST_SUITE_BEGIN("unit");

TEST_CASE("the config blob says what ollama list and show print") {
  const hash::Digest digest{hash::Algorithm::kSha256, std::string(64, 'a')};
  const Json config = parse_json(config_of_gguf(header_with(""), {digest}), "config");
  CHECK(config["model_format"] == "gguf");
  CHECK(config["model_family"] == "llama");
  CHECK(config["model_families"] == Json::array({"llama"}));
  CHECK(config["model_type"] == "1.34M");  // 1 345 000, two digits
  CHECK(config["file_type"] == "Q4_1");
  CHECK(config["rootfs"]["diff_ids"] == Json::array({"sha256:" + std::string(64, 'a')}));
}

TEST_CASE("the conversation follows the marks of the model's own template") {
  CHECK(contains(stops_for("{% for m in messages %}<|im_start|>{{m.role}}<|im_end|>"), "im_end"));
  CHECK(contains(stops_for("<|start_header_id|>..<|eot_id|>"), "eot_id"));
  CHECK(contains(stops_for("<start_of_turn>user..<end_of_turn>"), "end_of_turn"));
  CHECK(contains(stops_for("[INST] <<SYS>> x"), "<<SYS>>"));
  CHECK_FALSE(contains(stops_for("[INST] x [/INST]"), "<<SYS>>"));
  CHECK(contains(stops_for("<|user|>x<|end|>"), "<|end|>"));
  CHECK(contains(stops_for("<|user|>x</s><|assistant|>"), "</s>"));
  CHECK(stops_for("### Question: {{ x }}").empty());
  CHECK(conversation_of_gguf(header_with("")).template_text.empty());
}

TEST_SUITE_END();

}  // namespace toolkit::model_store::ollama
