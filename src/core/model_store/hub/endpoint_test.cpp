#include "core/model_store/hub/endpoint.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>

#include "core/base/testing.h"
#include "core/http/testing/loopback_server.h"

using namespace toolkit;
using namespace toolkit::model_store;
using namespace toolkit::model_store::hub;
using toolkit::http::testing::Answer;
using toolkit::http::testing::LoopbackServer;
using toolkit::http::testing::Received;
using toolkit::testing::contains;
using toolkit::testing::refusal_of;
using toolkit::testing::TestingFolder;

namespace {

const std::string kCommit(40, 'a');
const std::string kGit(40, '1');
const std::string kSha256(64, '2');

// Answers by target; what is not named is 404 without a word.
struct Hub {
  std::map<std::string, Answer> answers;
  LoopbackServer server{[this](const Received& request) {
    const auto found = answers.find(request.target);
    return found == answers.end() ? Answer{.status = 404} : found->second;
  }};
  http::Client client{{.retry = {.attempts = 1}}};
  Environment environment;

  Hub() {
    ::unsetenv("HF_TOKEN");
    ::unsetenv("HUGGING_FACE_HUB_TOKEN");
    ::unsetenv("HF_HUB_DISABLE_IMPLICIT_TOKEN");
    environment.hub_endpoint = server.origin();
  }
  void tree(const std::string& files, std::vector<http::Header> headers = {},
            const std::string& target = "") {
    answers[target.empty()
                ? "/api/models/org/model/tree/" + kCommit + "?recursive=true&expand=false"
                : target] = {.headers = std::move(headers), .body = "[" + files + "]"};
  }
  void revision(const std::string& id = "org/model", const std::string& name = "main") {
    answers["/api/models/org/model/revision/" + name] = {
        .body = R"({"id":")" + id + R"(","sha":")" + kCommit + R"("})"};
  }
  HubRepository read(const std::string& revision_name = "main") {
    HubName name;
    name.repository = "org/model";
    name.revision = revision_name;
    return read_repository(client, environment, name);
  }
  std::string refused(ErrorKind kind) {
    return refusal_of([&] { read(); }, kind);
  }
};

std::string file(const std::string& path, const std::string& size = "3") {
  return R"({"type":"file","path":")" + path + R"(","size":)" + size + R"(,"oid":")" + kGit +
         R"("})";
}

std::string authorization(const Received& request) {
  for (const http::Header& header : request.headers)
    if (header.name == "Authorization" || header.name == "authorization") return header.value;
  return "";
}

HubRepository repository_of(const std::vector<std::string>& paths) {
  HubRepository repository{"org/model", kCommit, {}};
  for (const std::string& path : paths)
    repository.files.push_back({path, 3, {hash::Algorithm::kGitBlob, kGit}, ""});
  return repository;
}

Offer offer_of(const std::vector<std::string>& paths, const std::vector<std::string>& ignore = {},
               const std::string& place = "") {
  Environment environment;
  environment.hub_endpoint = "https://huggingface.co";
  HubName name;
  name.repository = "org/model";
  name.path = place;
  return make_offer(environment, name, repository_of(paths), {}, ignore);
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("hub: revision, then every page of the list at that commit, with the token") {
    Hub hub;
    ::setenv("HF_TOKEN", " hf_secret\n", 1);
    hub.revision("org/model", "refs%2Fpr%2F1");
    hub.tree(file("a") + "," + R"({"type":"directory","path":"d"})",
             {{"Link", "<" + hub.server.origin() + "/page2>; rel=\"next\""}});
    hub.tree(file("d/b"), {{"Link", "</page3>; rel=\"next\""}}, "/page2");
    hub.tree(file("d/c"), {}, "/page3");
    const HubRepository repository = hub.read("refs/pr/1");
    CHECK(repository.commit == kCommit);
    REQUIRE(repository.files.size() == 3);
    CHECK(repository.files[2].path == "d/c");
    REQUIRE(hub.server.received().size() == 4);
    for (const Received& request : hub.server.received())
      CHECK(authorization(request) == "Bearer hf_secret");
  }

  TEST_CASE("hub: a renamed repository is taken under its new name") {
    Hub hub;
    hub.revision("Org/New");
    hub.tree(file("a"), {}, "/api/models/Org/New/tree/" + kCommit + "?recursive=true&expand=false");
    CHECK(hub.read().repository == "Org/New");
    hub.revision("../../evil");
    CHECK(refusal_of([&] { hub.read(); }) != "");
  }

  TEST_CASE("hub: lists that leave the host, repeat a file or never end are refused") {
    Hub hub, other;
    ::setenv("HF_TOKEN", "hf_secret", 1);
    hub.revision();
    hub.tree(file("a"), {{"Link", "<" + other.server.origin() + "/page2>; rel=\"next\""}});
    CHECK(contains(hub.refused(ErrorKind::kNetwork), "on another host"));
    CHECK(other.server.received().empty());
    hub.tree(file("a"), {{"Link", "</again>; rel=\"next\""}});
    hub.tree(file("a"), {{"Link", "</again>; rel=\"next\""}}, "/again");
    CHECK(contains(hub.refused(ErrorKind::kUserInput), "listed twice"));
    hub.tree("", {{"Link", "</again>; rel=\"next\""}}, "/again");
    CHECK(contains(hub.refused(ErrorKind::kNetwork), "does not end"));
  }

  TEST_CASE("hub: gated models name the page, and what to do with or without a token") {
    Hub hub;
    hub.answers["/api/models/org/model/revision/main"] = {
        .status = 401, .headers = {{"X-Error-Code", "GatedRepo"}}};
    const std::string without = hub.refused(ErrorKind::kUserInput);
    CHECK(contains(without, hub.server.origin() + "/org/model"));
    CHECK(contains(without, "HF_TOKEN"));
    ::setenv("HF_TOKEN", "hf_secret", 1);
    const std::string with = hub.refused(ErrorKind::kUserInput);
    CHECK(contains(with, "no access yet"));
    CHECK_FALSE(contains(with, "hf_secret"));
  }

  TEST_CASE("hub: a missing model names the nearest one and the way to private ones") {
    Hub hub;
    hub.answers["/api/models/org/model/revision/main"] = {
        .status = 401, .headers = {{"X-Error-Code", "RepoNotFound"}}};
    hub.answers["/api/models?search=model&limit=50"] = {
        .body = R"([{"id":"other/thing"},{"id":"org/models"}])"};
    const std::string message = hub.refused(ErrorKind::kNotFound);
    CHECK(contains(message, "Did you mean 'hf://org/models'?"));
    CHECK(contains(message, "HF_TOKEN"));
    hub.answers["/api/models?search=model&limit=50"] = {.body = "<html>"};
    CHECK(contains(hub.refused(ErrorKind::kNotFound), "no such model"));
  }

  TEST_CASE("hub: an unknown revision lists those there are") {
    Hub hub;
    hub.answers["/api/models/org/model/revision/main"] = {
        .status = 404, .headers = {{"X-Error-Code", "RevisionNotFound"}}};
    hub.answers["/api/models/org/model/refs"] = {
        .body = R"({"branches":[{"name":"mian"},{"name":"4bit"}],"tags":[{"name":"v1"}]})"};
    const std::string message = hub.refused(ErrorKind::kNotFound);
    CHECK(contains(message, "no revision 'main'. Did you mean 'mian'?"));
    CHECK(contains(message, "4bit, v1"));
  }

  TEST_CASE("hub: a token that is not valid, too many requests, trouble there, offline") {
    Hub hub;
    auto& answer = hub.answers["/api/models/org/model/revision/main"];
    ::setenv("HF_TOKEN", "hf_secret", 1);
    answer = {.status = 401};
    CHECK(contains(hub.refused(ErrorKind::kUserInput), "does not accept your token"));
    answer = {.status = 403, .headers = {{"X-Error-Message", "billing\x1b[2J"}}};
    const std::string forbidden = hub.refused(ErrorKind::kUserInput);
    CHECK(contains(forbidden, "refuses access (billing"));
    CHECK(forbidden.find('\x1b') == std::string::npos);
    answer = {.status = 429, .headers = {{"Retry-After", "0"}}};
    CHECK(contains(hub.refused(ErrorKind::kNetwork), "too many requests"));
    answer = {.status = 502};
    CHECK(contains(hub.refused(ErrorKind::kNetwork), "trouble of its own (status 502"));
    hub.environment.hub_offline = true;
    const size_t before = hub.server.received().size();
    CHECK(contains(hub.refused(ErrorKind::kNetwork), "HF_HUB_OFFLINE"));
    CHECK(hub.server.received().size() == before);
  }

  TEST_CASE("token: HF_TOKEN, else the file, which nobody else may read - never in a message") {
    TestingFolder folder;
    Hub hub;
    hub.environment.hub_token_file = folder.write("token", "hf_file\n");
    namespace fs = std::filesystem;
    fs::permissions(hub.environment.hub_token_file, fs::perms::owner_read);
    CHECK(read_token(hub.environment) == "hf_file");
    fs::permissions(hub.environment.hub_token_file, fs::perms::owner_read | fs::perms::group_read);
    CHECK(read_token(hub.environment) == "");
    ::setenv("HF_TOKEN", "hf_a", 1);
    CHECK(read_token(hub.environment) == "hf_a");
    ::setenv("HF_TOKEN", "hf_a\r\nX: y", 1);
    const std::string message = refusal_of([&] { read_token(hub.environment); });
    CHECK(contains(message, "HF_TOKEN: expected a token"));
    CHECK_FALSE(contains(message, "hf_a"));
    ::unsetenv("HF_TOKEN");
    ::setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1", 1);
    CHECK(read_token(hub.environment) == "");
    ::unsetenv("HF_HUB_DISABLE_IMPLICIT_TOKEN");
  }

  TEST_CASE("offer: addresses of files at the commit, parts of names encoded") {
    const Offer offer = offer_of({"a b/c#d.json", "model.safetensors"});
    CHECK(offer.name.identifier == "org/model");
    CHECK(offer.revision == kCommit);
    CHECK_FALSE(offer.partial);
    REQUIRE(offer.files.size() == 2);
    CHECK(offer.files[0].name == "a b/c#d.json");
    CHECK(offer.files[0].request.url.text() ==
          "https://huggingface.co/org/model/resolve/" + kCommit + "/a%20b/c%23d.json");
    CHECK(offer.files[0].size_bytes == 3);
    CHECK(offer.files[0].digest.hex == kGit);
  }

  TEST_CASE("offer: patterns and a path choose files, and the offer says that some are missing") {
    CHECK(offer_of({"a.bin", "b.json"}, {"*.bin"}).files.size() == 1);
    CHECK(offer_of({"a.bin", "b.json"}, {"*.bin"}).partial);
    const Offer folder = offer_of({"onnx/a", "onnxx", "b"}, {}, "onnx/");
    REQUIRE(folder.files.size() == 1);
    CHECK(folder.files[0].name == "onnx/a");
    CHECK(folder.partial);
    CHECK(contains(refusal_of([] { offer_of({"a"}, {}, "nope"); }, ErrorKind::kNotFound),
                   "no 'nope' there"));
    CHECK(contains(refusal_of([] { offer_of({"a"}, {"*"}); }, ErrorKind::kNotFound),
                   "by these patterns"));
    CHECK(offer_of({"a", ".metadata.json"}).files.size() == 1);
  }

  TEST_CASE("offer: hostile names, names that differ in case, a file that is a folder") {
    for (const char* path :
         {"../x", "/etc/passwd", "a/../../b", "C:\\x", "a\\b", "a\nb", "a//b", "nul", "a/.", ""})
      CHECK_MESSAGE(contains(refusal_of([&] { offer_of({"ok", path}); }), "hf://org/model"), path);
    CHECK(refusal_of([] { offer_of({std::string(300, 'x')}); }) != "");
    CHECK(contains(refusal_of([] { offer_of({"Config.json", "config.json"}); }),
                   "upper and lower case"));
    CHECK(offer_of({"Config.json", "config.json"}, {"C*"}).files.size() == 1);
    CHECK(contains(refusal_of([] { offer_of({"a", "a/b"}); }), "is a file and a folder"));
  }

  TEST_CASE("offer: a file above what the hub gives out over HTTP names the way round") {
    HubRepository repository = repository_of({"big.gguf"});
    repository.files[0].size_bytes = 60'000'000'000;
    Environment environment;
    environment.hub_endpoint = "https://huggingface.co";
    HubName name;
    name.repository = "org/model";
    const std::string message = refusal_of(
        [&] { make_offer(environment, name, repository, {}, {}); }, ErrorKind::kUnsupported);
    CHECK(contains(message, "hf download org/model"));
    CHECK(contains(message, "mlx-cache sync"));
  }

  TEST_CASE("offer: ten thousand files") {
    std::vector<std::string> paths;
    for (int i = 0; i < 10000; ++i) paths.push_back("d/f" + std::to_string(i));
    CHECK(offer_of(paths).files.size() == 10000);
  }
}
