#include "core/http/download.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__linux__)
#include <sched.h>
#include <sys/mount.h>
#endif

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>

#include "core/base/atomic_file.h"
#include "core/base/interrupt.h"
#include "core/base/random.h"
#include "core/base/testing.h"
#include "core/hash/hasher.h"
#include "core/http/testing/loopback_server.h"

namespace fs = std::filesystem;
namespace hash = toolkit::hash;
namespace http = toolkit::http;
using http::testing::Answer;
using http::testing::LoopbackServer;
using http::testing::ranged_answer;
using http::testing::Received;
using std::chrono::milliseconds;
using toolkit::ErrorKind;
using toolkit::testing::contains;
using toolkit::testing::refusal_of;
using toolkit::testing::TestingFolder;

namespace {

std::string random_bytes(size_t size, uint64_t seed = 1) {
  toolkit::Random random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.next());
  return bytes;
}

hash::Digest digest_of(const std::string& content,
                       hash::Algorithm algorithm = hash::Algorithm::kSha256) {
  return hash::hash_bytes(algorithm,
                          {reinterpret_cast<const uint8_t*>(content.data()), content.size()});
}

/// Where downloads of a test go, quick to lose patience, with everything told.
struct Downloads {
  explicit Downloads(int attempts = 3, milliseconds patience = std::chrono::seconds(20))
      : attempts_(attempts), patience_(patience) {}
  int attempts_;
  milliseconds patience_;
  TestingFolder folder;
  http::Client client{{.stall_timeout = patience_,
                       .retry = {.attempts = attempts_,
                                 .first_delay = milliseconds(1),
                                 .longest_delay = milliseconds(4)},
                       .random_seed = 1}};
  http::DownloadSettings settings{.ranges_per_file = 1, .smallest_range_bytes = 64 << 10};
  std::vector<std::string> notes;
  std::vector<uint64_t> resumed;
  std::vector<size_t> verified;
  uint64_t last_progress = 0;

  fs::path part(const std::string& name = "a") const { return folder.path / (name + ".part"); }
  http::FileDownload file(const std::string& url, const std::string& content,
                          const std::string& name = "a") const {
    return {.label = name,
            .request = {.url = http::parse_url(url)},
            .size_bytes = content.size(),
            .digest = digest_of(content),
            .part = part(name)};
  }
  void run(const std::vector<http::FileDownload>& files) {
    http::download_files(client, files, settings,
                         {.progress = [this](size_t, uint64_t done) { last_progress = done; },
                          .started = [this](size_t, uint64_t bytes) { resumed.push_back(bytes); },
                          .verified = [this](size_t index) { verified.push_back(index); },
                          .note = [this](const std::string& note) { notes.push_back(note); }});
  }
  std::string refusal(const http::FileDownload& one, ErrorKind kind = ErrorKind::kNetwork) {
    return refusal_of([&] { run({one}); }, kind);
  }
  bool noted(const std::string& text) const {
    for (const std::string& note : notes)
      if (contains(note, text)) return true;
    return false;
  }
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("download: a file arrives, is hashed both ways, and its events are told") {
    const std::string content = random_bytes(100000);
    const LoopbackServer server(
        [&](const Received& request) { return ranged_answer(request, content, "v1"); });
    Downloads downloads;
    const http::FileDownload file = downloads.file(server.origin() + "/a", content);
    CHECK(http::missing_bytes(file) == 100000);
    downloads.run({file});
    CHECK(toolkit::read_file(downloads.part()) == content);
    CHECK(http::missing_bytes(file) == 0);
    CHECK(downloads.resumed == std::vector<uint64_t>{0});
    CHECK(downloads.verified == std::vector<size_t>{0});
    CHECK(downloads.last_progress == 100000);
    CHECK(downloads.notes.empty());
    CHECK(server.received().at(0).header("accept-encoding") == "identity");
    CHECK(server.received().at(0).header("range").empty());

    downloads.run({file});  // what is there is hashed, not fetched
    CHECK(server.received().size() == 1);
    http::FileDownload git = downloads.file(server.origin() + "/a", content, "git");
    git.digest = digest_of(content, hash::Algorithm::kGitBlob);
    downloads.run({git});
    CHECK(toolkit::read_file(downloads.part("git")) == content);
    http::remove_part(downloads.part());
    CHECK(http::missing_bytes(file) == 100000);
    CHECK_FALSE(fs::exists(downloads.part().string() + ".state"));
  }

  TEST_CASE("download: an empty file needs no server") {
    Downloads downloads;
    downloads.run({downloads.file("http://127.0.0.1:1/", "")});
    CHECK(fs::file_size(downloads.part()) == 0);
  }

  TEST_CASE("download: several files and several ranges at once") {
    const std::string large = random_bytes(1 << 20), small = random_bytes(1000, 2);
    const LoopbackServer server([&](const Received& request) {
      return ranged_answer(request, request.target == "/large" ? large : small, "v1");
    });
    Downloads downloads;
    downloads.settings.ranges_per_file = 4;
    std::vector<http::FileDownload> files = {
        downloads.file(server.origin() + "/large", large, "l")};
    for (int i = 0; i < 50; ++i)
      files.push_back(downloads.file(server.origin() + "/small", small, "s" + std::to_string(i)));
    downloads.run(files);
    CHECK(downloads.verified.size() == 51);
    CHECK(toolkit::read_file(downloads.part("l")) == large);
    CHECK(toolkit::read_file(downloads.part("s49")) == small);
    std::set<std::string> ranges;
    for (const Received& request : server.received())
      if (request.target == "/large") ranges.insert(request.header("range"));
    CHECK(ranges.size() == 16);
    CHECK(ranges.contains("bytes=65536-131071"));
  }

  TEST_CASE("download: goes on at the byte where it stopped") {
    const std::string content = random_bytes(300000);
    bool broken = true;
    uint64_t sent = 0;
    const LoopbackServer server([&](const Received& request) {
      Answer answer = ranged_answer(request, content, "v1");
      if (broken && request.header("Range").empty())
        answer.cut_after_bytes = 123457;
      else if (broken)
        answer.status = 500;
      sent += answer.cut_after_bytes >= 0 ? 123457 : broken ? 0 : answer.body.size();
      return answer;
    });
    Downloads downloads;
    const http::FileDownload file = downloads.file(server.origin() + "/a", content);
    const std::string refusal = downloads.refusal(file);
    CHECK(contains(refusal, "a: "));
    CHECK(contains(refusal, "(3 attempts)"));
    CHECK(downloads.noted("connection lost after 123457 bytes, again in "));
    CHECK(downloads.noted("500, again in "));
    CHECK(http::missing_bytes(file) == 300000 - 123457);

    broken = false;
    downloads.run({file});
    CHECK(downloads.resumed.back() == 123457);
    CHECK(server.received().back().header("range") == "bytes=123457-299999");
    CHECK(server.received().back().header("if-range") == "\"v1\"");
    CHECK(toolkit::read_file(downloads.part()) == content);
    CHECK(sent == 300000);  // no byte came twice
  }

  TEST_CASE("download: a body that breaks off is gone on with by itself") {
    const std::string content = random_bytes(300000);
    int cuts = 2;
    const LoopbackServer server([&](const Received& request) {
      Answer answer = ranged_answer(request, content, "v1");
      if (cuts-- > 0) answer.cut_after_bytes = 50000;
      return answer;
    });
    Downloads downloads;
    downloads.run({downloads.file(server.origin() + "/a", content)});
    CHECK(toolkit::read_file(downloads.part()) == content);
    CHECK(server.received().back().header("range") == "bytes=100000-299999");
  }

  TEST_CASE("download: changed on the server: from the beginning") {
    const std::string content = random_bytes(200000);
    std::string etag = "v1";
    int64_t cut = 70000;
    const LoopbackServer server([&](const Received& request) {
      Answer answer = ranged_answer(request, content, etag);
      answer.cut_after_bytes = cut;
      return answer;
    });
    Downloads downloads(1);
    const http::FileDownload file = downloads.file(server.origin() + "/a", content);
    CHECK_FALSE(downloads.refusal(file).empty());
    etag = "v2";
    cut = -1;
    downloads.run({file});
    CHECK(downloads.noted("changed on the server"));
    CHECK(toolkit::read_file(downloads.part()) == content);
  }

  TEST_CASE("download: another version is wanted: what was fetched of the first is dropped") {
    const std::string first = random_bytes(200000, 1), second = random_bytes(200000, 2);
    const std::string* served = &first;
    int64_t cut = 70000;
    const LoopbackServer server([&](const Received& request) {
      Answer answer = ranged_answer(request, *served, "same");
      answer.cut_after_bytes = cut;
      return answer;
    });
    Downloads downloads(1);
    CHECK_FALSE(downloads.refusal(downloads.file(server.origin() + "/a", first)).empty());
    served = &second;
    cut = -1;
    downloads.run({downloads.file(server.origin() + "/a", second)});
    CHECK(downloads.noted("of another version"));
    CHECK(toolkit::read_file(downloads.part()) == second);
  }

  TEST_CASE("download: a wrong digest after going on: once more from zero - else refused") {
    const std::string content = random_bytes(200000), other = random_bytes(200000, 9);
    const std::string* served = &other;
    int64_t cut = 70000;
    const LoopbackServer server([&](const Received& request) {
      Answer answer = ranged_answer(request, *served, "same");  // a server that lies about ETags
      answer.cut_after_bytes = cut;
      return answer;
    });
    Downloads downloads(1);
    const http::FileDownload file = downloads.file(server.origin() + "/a", content);
    CHECK_FALSE(downloads.refusal(file).empty());
    served = &content;
    cut = -1;
    downloads.run({file});
    CHECK(downloads.noted("digest is wrong after going on"));
    CHECK(toolkit::read_file(downloads.part()) == content);

    http::remove_part(file.part);
    served = &other;
    const std::string refusal = downloads.refusal(file);
    CHECK(contains(refusal, "expected sha256 " + file.digest.hex));
    CHECK(contains(refusal, "found " + digest_of(other).hex));
    CHECK_FALSE(fs::exists(file.part));
    CHECK(http::missing_bytes(file) == file.size_bytes);
  }

  TEST_CASE("download: a server without ranges, and stale parts (416)") {
    const std::string content = random_bytes(400000);
    int64_t cut = 50000;
    bool dispute = false;
    const LoopbackServer server([&](const Received& request) {
      if (dispute && !request.header("Range").empty()) return Answer{.status = 416};
      return Answer{.body = content, .cut_after_bytes = cut};
    });
    Downloads downloads(1);
    downloads.settings.ranges_per_file = 4;
    const http::FileDownload file = downloads.file(server.origin() + "/a", content);
    CHECK_FALSE(downloads.refusal(file).empty());
    cut = -1;
    downloads.run({file});
    CHECK(toolkit::read_file(downloads.part()) == content);

    http::remove_part(file.part);
    downloads.settings.ranges_per_file = 1;
    cut = 50000;
    dispute = true;
    CHECK_FALSE(downloads.refusal(file).empty());
    cut = -1;
    downloads.run({file});
    CHECK(toolkit::read_file(downloads.part()) == content);
  }

  TEST_CASE("download: wrong sizes, endless and packed bodies, and refusals are not repeated") {
    const std::string content = random_bytes(100000);
    const LoopbackServer server([&](const Received& request) {
      if (request.target == "/longer") return Answer{.body = content + "x"};
      if (request.target == "/shorter") return Answer{.body = content.substr(1)};
      if (request.target == "/endless") return Answer{.body = content, .endless = true};
      if (request.target == "/gzip")
        return Answer{.headers = {{"Content-Encoding", "gzip"}}, .body = content};
      if (request.target == "/gated") return Answer{.status = 403};
      return Answer{.status = 404};
    });
    Downloads downloads;
    const auto refused = [&](const char* target) {
      return downloads.refusal(downloads.file(server.origin() + target, content, target + 1));
    };
    CHECK(contains(refused("/longer"), "expected 100000 bytes as listed, the server sends 100001"));
    CHECK(contains(refused("/shorter"), "the server sends 99999"));
    CHECK(contains(refused("/endless"), "more than the 100000 bytes it announced"));
    CHECK(contains(refused("/gzip"), "as 'gzip'"));
    CHECK(contains(refused("/gated"), "no permission (403)"));
    CHECK(contains(refused("/absent"), "not there any more (404)"));
    CHECK(downloads.notes.empty());
  }

  TEST_CASE("download: slow-loris is given up") {
    const std::string content = random_bytes(100000);
    const LoopbackServer server([&](const Received& request) {
      Answer answer{.body = content};
      (request.target == "/silent" ? answer.pause_ms_per_kilobyte : answer.pause_ms_per_byte) =
          request.target == "/silent" ? 60000 : 20;
      return answer;
    });
    Downloads downloads(2, milliseconds(400));
    for (const char* target : {"/silent", "/trickle"}) {
      const std::string refusal =
          downloads.refusal(downloads.file(server.origin() + target, content, target + 1));
      CHECK(contains(refusal, "too slow"));
    }
  }

  TEST_CASE("download: redirects are followed anew at each attempt, the token stays at home") {
    const std::string content = random_bytes(200000);
    int cuts = 1, links = 0;
    const LoopbackServer cdn([&](const Received& request) {
      Answer answer = ranged_answer(request, content, "cdn");
      if (cuts-- > 0) answer.cut_after_bytes = 60000;
      return answer;
    });
    const LoopbackServer hub([&](const Received&) {
      return Answer{.status = 302,
                    .headers = {{"Location", cdn.origin() + "/f?sig=" + std::to_string(++links)}},
                    .body = "Found"};
    });
    Downloads downloads;
    http::FileDownload file = downloads.file(hub.origin() + "/a", content);
    file.request.bearer_token = "s3cret";
    downloads.run({file});
    CHECK(toolkit::read_file(downloads.part()) == content);
    REQUIRE(cdn.received().size() == 2);
    CHECK(cdn.received()[0].target == "/f?sig=1");
    CHECK(cdn.received()[1].target == "/f?sig=2");
    CHECK(cdn.received()[1].header("range") == "bytes=60000-199999");
    CHECK(cdn.received()[1].header("if-range") == "\"cdn\"");
    for (const Received& request : cdn.received())
      for (const http::Header& header : request.headers)
        CHECK_FALSE(contains(header.value, "s3cret"));
    CHECK(hub.received()[1].header("authorization") == "Bearer s3cret");
    CHECK(hub.received()[1].header("if-range").empty());  // that ETag is not the hub's
    for (const std::string& note : downloads.notes) CHECK_FALSE(contains(note, "sig="));
    for (const auto& entry : fs::directory_iterator(downloads.folder.path)) {
      CHECK_FALSE(contains(toolkit::read_file(entry.path()), "s3cret"));
      CHECK_FALSE(contains(toolkit::read_file(entry.path()), "sig="));
    }
  }

#if defined(__linux__)
  TEST_CASE("download: a full disk says what is needed and free, and the part is gone on with") {
#if defined(__SANITIZE_THREAD__)
    std::puts("SKIPPED: the thread sanitizer cannot follow the threads of a forked process");
    return;
#endif
    const std::string content = random_bytes(600000);
    const LoopbackServer server(
        [&](const Received& request) { return ranged_answer(request, content, "v1"); });
    const TestingFolder place;
    const pid_t child = ::fork();
    if (child == 0) {
      // A file system of our own, of 256 KiB first, where the kernel lets us have one.
      const auto write_plainly = [](const char* path, const std::string& text) {
        std::ofstream file(path);
        file << text << std::flush;
        return file.good();
      };
      const std::string user = "0 " + std::to_string(::getuid()) + " 1";
      const std::string group = "0 " + std::to_string(::getgid()) + " 1";
      if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0 ||
          !write_plainly("/proc/self/uid_map", user) ||
          !write_plainly("/proc/self/setgroups", "deny") ||
          !write_plainly("/proc/self/gid_map", group) ||
          ::mount("none", place.path.c_str(), "tmpfs", 0, "size=256k") != 0)
        ::_exit(6);
      Downloads downloads;
      http::FileDownload file = downloads.file(server.origin() + "/a", content);
      file.part = place.path / "a.part";
      const std::string refusal = downloads.refusal(file, ErrorKind::kIo);
      const uint64_t there = content.size() - http::missing_bytes(file);
      if (!contains(refusal, "a.part: the disk is full: ") || !contains(refusal, " are free") ||
          there == 0)
        ::_exit(8);
      if (::mount("none", place.path.c_str(), "tmpfs", MS_REMOUNT, "size=2m") != 0) ::_exit(6);
      downloads.run({file});
      const bool resumed = downloads.resumed.back() == there;
      ::_exit(resumed && toolkit::read_file(file.part) == content ? 7 : 9);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (WEXITSTATUS(status) == 6) {
      std::puts("SKIPPED: this machine does not let a test mount a small file system");
      return;
    }
    CHECK(WEXITSTATUS(status) == 7);
  }
#endif

  TEST_CASE("download: kill -9 loses nothing that was written") {
    const std::string content = random_bytes(400000);
    const LoopbackServer server([&](const Received& request) {
      Answer answer = ranged_answer(request, content, "v1");
      if (request.header("User-Agent") == "doomed") answer.pause_ms_per_kilobyte = 1;
      return answer;
    });
    Downloads downloads;
    const http::FileDownload file = downloads.file(server.origin() + "/a", content);
    const pid_t child = ::fork();
    if (child == 0) {
      http::Client client({.user_agent = "doomed"});
      http::download_files(client, {file}, downloads.settings,
                           {.progress = [](size_t, uint64_t done) {
                             if (done > 30000) ::kill(::getpid(), SIGKILL);
                           }});
      ::_exit(1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    REQUIRE(WIFSIGNALED(status));
    const uint64_t there = fs::file_size(file.part);
    CHECK(there > 30000);
    CHECK(http::missing_bytes(file) == content.size() - there);
    downloads.run({file});
    CHECK(downloads.resumed.back() == there);
    CHECK(server.received().back().header("range") == "bytes=" + std::to_string(there) + "-399999");
    CHECK(toolkit::read_file(file.part) == content);
  }

  TEST_CASE("download: Ctrl-C ends it, what came stays") {
    const std::string content = random_bytes(200000);
    const LoopbackServer server([&](const Received& request) {
      Answer answer = ranged_answer(request, content, "v1");
      answer.pause_ms_per_kilobyte = 2;
      return answer;
    });
    Downloads downloads;
    const http::FileDownload file = downloads.file(server.origin() + "/a", content);
    const toolkit::InterruptGuard guard;
    const std::string refusal = refusal_of(
        [&] {
          http::download_files(downloads.client, {file}, downloads.settings,
                               {.progress = [](size_t, uint64_t done) {
                                 if (done > 20000) ::raise(SIGINT);
                               }});
        },
        ErrorKind::kNetwork);
    toolkit::InterruptGuard::clear();
    CHECK(contains(refusal, "stopped"));
    CHECK(http::missing_bytes(file) < 180000);
    CHECK(http::missing_bytes(file) > 0);
  }
}
