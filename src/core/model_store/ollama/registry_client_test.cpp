#include "core/model_store/ollama/registry_client.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "core/base/testing.h"
#include "core/http/testing/loopback_server.h"
#include "core/model_store/ollama/sign_in.h"
#include "core/model_store/ollama/testing_key.h"

namespace toolkit::model_store::ollama {

namespace {

namespace fs = std::filesystem;
using http::testing::Answer;
using http::testing::LoopbackServer;
using http::testing::Received;
using testing::contains;
using testing::refusal_of;

const OllamaName kName{"registry.ollama.ai", "library", "tiny", "1b"};

http::ClientSettings once() {
  http::ClientSettings settings;
  settings.retry.attempts = 1;
  return settings;
}

std::string manifest_text(const std::string& kind) {
  return fmt::format(
      R"({{"schemaVersion":2,"config":{{"mediaType":"c","digest":"sha256:{}","size":3}},)"
      R"("layers":[{{"mediaType":"{}{}","digest":"sha256:{}","size":9}}]}} )",
      std::string(64, 'c'), kLayerType, kind, std::string(64, 'd'));
}

std::string authorization(const Received& request) {
  for (const auto& header : request.headers)
    if (header.name == "Authorization" || header.name == "authorization") return header.value;
  return "";
}

}  // namespace

TEST_SUITE_BEGIN("unit");

TEST_CASE("a registry on this machine is asked in the clear, every other one is not") {
  CHECK(registry_base(kName) == "https://registry.ollama.ai");
  CHECK(registry_base({"127.0.0.1:5000", "a", "b", "c"}) == "http://127.0.0.1:5000");
  CHECK(registry_base({"192.168.0.2:5000", "a", "b", "c"}) == "https://192.168.0.2:5000");
}

TEST_CASE("manifest, token and offer") {
  const std::string text = manifest_text("model");
  std::string origin;
  LoopbackServer server([&](const Received& request) -> Answer {
    if (request.target.starts_with("/token")) {
      CHECK(contains(request.target, "service=reg"));
      CHECK(contains(request.target, "scope=repository%3Alibrary%2Ftiny%3Apull"));
      return {.body = R"({"token":"abc"})"};
    }
    CHECK(request.target == "/v2/library/tiny/manifests/1b");
    if (authorization(request) != "Bearer abc")
      return {
          .status = 401,
          .headers = {{"WWW-Authenticate", fmt::format(R"(Bearer realm="{}/token",service="reg",)"
                                                       R"(scope="repository:library/tiny:pull")",
                                                       origin)}}};
    return {.body = text};
  });
  origin = server.origin();
  http::Client client(once());
  const PulledManifest pulled = pull_manifest(client, origin, kName);
  CHECK(pulled.bytes == text);
  CHECK(pulled.token == "abc");
  const Offer offer = make_offer(origin, kName, pulled);
  CHECK(offer.name.uri() == "ollama://tiny:1b");
  REQUIRE(offer.files.size() == 3);
  CHECK(offer.files[0].name == "model.gguf");
  CHECK(offer.files[0].size_bytes == 9);
  CHECK(offer.files[0].request.url.target ==
        "/v2/library/tiny/blobs/sha256:" + std::string(64, 'd'));
  CHECK(offer.files[0].request.bearer_token == "abc");
  CHECK(offer.files[1].name == "config.json");
  CHECK(offer.files[2].name == kManifestFile);
  CHECK(offer.files[2].size_bytes == text.size());
  CHECK(offer.files[2].digest.hex == offer.revision);
}

TEST_CASE(
    "a registry that knows the key gives the token to who signed - and says so when it does not") {
  const testing::TestingFolder folder;
  const fs::path key_file = folder.write("id_ed25519", kTestingKey);
  fs::permissions(key_file, fs::perms::owner_read | fs::perms::owner_write);
  const std::string text = manifest_text("model");
  std::string origin, signed_for;
  bool known = true;
  LoopbackServer server([&](const Received& request) -> Answer {
    if (request.target.starts_with("/token")) {
      const std::string expected =
          sign_in_header(parse_signing_key(kTestingKey, "key"), origin + request.target);
      CHECK(authorization(request) == expected);
      CHECK(contains(request.target, "scope=a&scope=b&ts="));
      signed_for = request.target;
      return {.status = known ? 200 : 401, .body = R"({"token":"abc"})"};
    }
    if (authorization(request) != "Bearer abc")
      return {.status = 401,
              .headers = {
                  {"WWW-Authenticate",
                   fmt::format(R"(Bearer realm="{}/token",service="reg",scope="a b")", origin)}}};
    return {.body = text};
  });
  origin = server.origin();
  http::Client client(once());
  CHECK(pull_manifest(client, origin, kName, key_file).token == "abc");
  const std::string first = signed_for;
  pull_manifest(client, origin, kName, key_file);
  CHECK(signed_for != first);  // a number used once
  known = false;
  const std::string refusal =
      refusal_of([&] { pull_manifest(client, origin, kName, key_file); }, ErrorKind::kUserInput);
  CHECK(contains(refusal, "id_ed25519.pub"));
  CHECK(contains(refusal, "not to the owner of the key"));
}

TEST_CASE("a realm of another host gets nothing") {
  int asked = 0;
  LoopbackServer other([&](const Received&) -> Answer { return ++asked, Answer{}; });
  LoopbackServer server([&](const Received&) -> Answer {
    return {.status = 401,
            .headers = {{"WWW-Authenticate", "Bearer realm=\"" + other.origin() + "/t\""}}};
  });
  http::Client client(once());
  CHECK(contains(
      refusal_of([&] { pull_manifest(client, server.origin(), kName); }, ErrorKind::kNetwork),
      "another host"));
  CHECK(asked == 0);
}

TEST_CASE("answers that are no model say the next step") {
  int status = 404;
  std::string body;
  LoopbackServer server([&](const Received& request) -> Answer {
    if (request.target.ends_with("/tags/list")) return {.body = R"({"tags":["1.5b","latest"]})"};
    return {.status = status, .body = body};
  });
  http::Client client(once());
  const auto refused = [&](ErrorKind kind) {
    return refusal_of([&] { pull_manifest(client, server.origin(), kName); }, kind);
  };
  CHECK(contains(refused(ErrorKind::kNotFound), "1.5b, latest"));
  status = 401;
  CHECK(contains(refused(ErrorKind::kUserInput), "ollama pull tiny:1b"));
  status = 200, body = "<html>";
  CHECK_FALSE(refused(ErrorKind::kUserInput).empty());
  const Manifest tensors = parse_manifest(manifest_text("tensor"), "t");
  CHECK(contains(refusal_of([&] { make_offer("http://127.0.0.1:1", kName, {"x", tensors, ""}); },
                            ErrorKind::kUnsupported),
                 "one blob per tensor"));
  const Manifest none = parse_manifest(manifest_text("license"), "t");
  CHECK(contains(refusal_of([&] { make_offer("http://127.0.0.1:1", kName, {"x", none, ""}); },
                            ErrorKind::kUnsupported),
                 "found none"));
}

TEST_SUITE_END();

}  // namespace toolkit::model_store::ollama
