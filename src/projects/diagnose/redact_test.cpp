#include "projects/diagnose/redact.h"

#include "core/base/testing.h"

namespace toolkit::diagnose {

namespace {

using testing::contains;

std::string redacted(const std::string& text) {
  return Redactor("/home/ann", "annabel", "ann-laptop").redacted(text);
}

}  // namespace

TEST_SUITE_BEGIN("unit");

TEST_CASE("secrets go whatever stands around them") {
  for (const char* line : {
           "token: hf_QwErTyUiOpAsDfGhJk123456789",
           "HF_TOKEN=hf_QwErTyUiOpAsDfGhJk123456789 mlx-cache add",
           R"({"api_key": "QwErTyUiOpAsDfGhJk123456789"})",
           "Authorization: Bearer QwErTyUiOpAsDfGhJk123456789",
           "authorization=Basic QwErTyUiOpAsDfGhJk123456789",
           "got bearer QwErTyUiOpAsDfGhJk123456789 from the server",
           "password = 'QwErTyUiOpAsDfGhJk123456789'",
           "--token QwErTyUiOpAsDfGhJk123456789",
           "sk-QwErTyUiOpAsDfGhJk123456789",
           "github_pat_QwErTyUiOpAsDfGhJk123456789",
           "GET https://cdn.example/x?sig=QwErTyUiOpAsDfGhJk123456789&e=1",
           "https://ann:QwErTyUiOpAsDfGhJk123456789@proxy:8080/",
           "Set-Cookie: QwErTyUiOpAsDfGhJk123456789",
           "client_secret=QwErTyUiOpAsDfGhJk123456789",
           "eyJhbGciOiJIUzI1NiJ9.QwErTyUiOpAsDfGhJk123456789",
           "-----BEGIN OPENSSH PRIVATE KEY-----QwErTyUiOpAsDfGhJk123456789",
           "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAQwErTyUiOpAsDfGhJk",
       }) {
    const std::string after = redacted(line);
    CHECK_MESSAGE(!contains(after, "QwErTyUiOpAsDfGhJk"), after);
    CHECK_MESSAGE(contains(after, "removed"), after);
  }
}

TEST_CASE("what people wrote to models goes") {
  for (const char* line : {
           R"({"prompt": "my diary \"of\" today"})",
           R"({"messages": [{"role": "user", "content": "my diary"}]})",
           R"(request body={"content":"my diary)",
           "prompt='my diary of today' tokens=5",
           R"("system": "my diary")",
           R"(response="my diary")",
       }) {
    const std::string after = redacted(line);
    CHECK_MESSAGE(!contains(after, "diary"), after);
  }
}

TEST_CASE("home folders and names go, whole words only") {
  CHECK(redacted("/home/ann/models/x and /home/bob/y") == "~/models/x and ~/y");
  CHECK(redacted("/Users/carla/Library") == "~/Library");
  CHECK(redacted("user annabel on ann-laptop") == "user [user] on [host]");
  CHECK(redacted("annabelle") == "annabelle");
  CHECK(redacted("mail ann.smith@example.org please") == "mail [address removed] please");
}

TEST_CASE("what a bug report needs stays") {
  for (const char* line : {
           "2026-11-26T10:00:00.123+0000 E [42] http://127.0.0.1:11434: connection refused",
           "polling_interval: 2000  # slow",
           "sha256-aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899",
           "prompt_tokens=31 tokens=128 tokens_per_second=41.2",
           "cpu: Intel(R) Xeon(R), memory_bytes: 25300000000",
       })
    CHECK(redacted(line) == line);
}

TEST_CASE("lines are kept apart and long ones cut") {
  CHECK(redacted("a\n\nb\n") == "a\n\nb\n");
  CHECK(redacted(std::string(100'000, ' ') + "x").size() < 10'000);
  Redactor redactor("/home/ann", "", "");
  redactor.redacted("token=abcdefgh\n/home/ann\nnothing\n");
  CHECK(redactor.count() == 2);
}

TEST_SUITE_END();

}  // namespace toolkit::diagnose
