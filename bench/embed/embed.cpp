// Embeddings of the dictionary's answers, one by one (short) and eight in a text (long): texts and
// tokens per second, the best of three rounds. bench/peers/sentence_transformers_speed.py does the
// same with sentence-transformers.
//   bench_embed MODEL ROWS.jsonl [f32|int8|bf16]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/tensor/backend.h"
#include "engine/embed/text_embedder.h"

namespace {

using namespace toolkit;

std::vector<std::string> answers_of(const char* path) {
  std::vector<std::string> texts;
  std::ifstream rows(path);
  for (std::string line; texts.size() < 1000 && std::getline(rows, line);)
    texts.push_back(parse_json(line, path)["messages"][1]["content"]);
  return texts;
}

std::vector<std::string> joined(const std::vector<std::string>& texts, size_t count) {
  std::vector<std::string> result;
  for (size_t i = 0; i + count <= texts.size(); i += count) {
    result.emplace_back();
    for (size_t j = i; j < i + count; ++j) result.back() += texts[j] + " ";
  }
  return result;
}

void measure(const char* name, const engine::TextEmbedder& embedder,
             const std::vector<std::string>& texts) {
  double best = 1e30;
  long tokens = 0;
  for (int round = 0; round < 3; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    const auto found = embedder.embed(texts);
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    best = std::min(best, taken.count());
    tokens = 0;
    for (const engine::TextEmbedding& one : found) tokens += one.tokens;
  }
  std::printf("%s: %zu texts, %.1f tokens each: %.0f texts/s, %.0f tokens/s\n", name, texts.size(),
              static_cast<double>(tokens) / static_cast<double>(texts.size()),
              static_cast<double>(texts.size()) / best, static_cast<double>(tokens) / best);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: bench_embed MODEL ROWS.jsonl [f32|int8|bf16]\n");
    return 2;
  }
  tensor::initialize();
  const auto embedder =
      engine::load_text_embedder(argv[1], tensor::compute_from_name(argc > 3 ? argv[3] : "f32"));
  const std::vector<std::string> texts = answers_of(argv[2]);
  measure("short", *embedder, texts);
  measure("long", *embedder, joined(texts, 8));
  measure("one by one", *embedder, {texts[0]});
  return 0;
}
