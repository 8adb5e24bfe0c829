#include "core/http/part_file.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "core/base/atomic_file.h"
#include "core/base/testing.h"

namespace fs = std::filesystem;
namespace hash = toolkit::hash;
using toolkit::http::PartFile;
using toolkit::testing::TestingFolder;

namespace {

const hash::Digest kOne{hash::Algorithm::kSha256, std::string(64, '1')};
const hash::Digest kTwo{hash::Algorithm::kSha256, std::string(64, '2')};

std::string state_of(const fs::path& part) {
  return toolkit::read_file(part.string() + ".state");
}

void overwrite(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("part_file: goes on at the byte where it stopped, range by range") {
    const TestingFolder folder;
    const fs::path path = folder.path / "a.part";
    {
      PartFile part(path, 100, kOne, 40);
      REQUIRE(part.ranges().size() == 3);
      CHECK(part.ranges()[2].begin == 80);
      CHECK(part.ranges()[2].end == 100);
      part.set_etag("\"v1\"", "https://cdn.example");
      part.write(0, std::string(40, 'a').data(), 40);
      part.write(1, std::string(7, 'b').data(), 7);
      part.write(2, std::string(20, 'c').data(), 20);
      part.record();
      CHECK(part.prefix_bytes() == 47);
      CHECK(part.done_bytes() == 67);
    }
    CHECK(PartFile::done_bytes_of(path, 100, kOne) == 67);
    CHECK(PartFile::done_bytes_of(path, 100, kTwo) == 0);
    PartFile part(path, 100, kOne, 1000);  // the ranges of the state count
    CHECK(part.ranges()[1].done == 7);
    CHECK(part.etag() == "\"v1\"");
    CHECK(part.etag_origin() == "https://cdn.example");
    CHECK_FALSE(part.was_other());
    part.write(1, std::string(33, 'b').data(), 33);
    CHECK(part.complete());
    CHECK(toolkit::read_file(path) ==
          std::string(40, 'a') + std::string(40, 'b') + std::string(20, 'c'));
  }

  TEST_CASE("part_file: data without its record is not counted") {
    const TestingFolder folder;
    const fs::path path = folder.path / "a.part";
    std::string before;
    {
      PartFile part(path, 10, kOne, 10);
      part.write(0, "abcd", 4);
      part.record();
      before = state_of(path);
      part.write(0, "ef", 2);
    }
    overwrite(path.string() + ".state", before);  // as a kill between data and record leaves it
    CHECK(PartFile(path, 10, kOne, 10).done_bytes() == 4);
  }

  TEST_CASE("part_file: a state of something else, or damaged, begins anew") {
    const TestingFolder folder;
    const fs::path path = folder.path / "a.part";
    const auto fill = [&] {
      PartFile part(path, 10, kOne, 5);
      part.restart(5);
      part.write(0, "abcde", 5);
      part.write(1, "f", 1);
    };
    fill();
    const std::string good = state_of(path);
    REQUIRE(good.size() == 512 + 2 * 16);
    const auto begins_anew = [&](const std::string& state) {
      overwrite(path.string() + ".state", state);
      PartFile part(path, 10, kOne, 5);
      const bool anew = part.done_bytes() == 0 && part.was_other() && fs::file_size(path) == 0;
      return anew;
    };
    CHECK(begins_anew(""));
    fill();
    CHECK(begins_anew(good.substr(0, 520)));
    fill();
    CHECK(begins_anew(std::string(5000, 'x')));
    std::string broken = good;
    broken[512 + 8] = 6;  // six bytes of a range of five
    fill();
    CHECK(begins_anew(broken));
    broken = good;
    broken[512 + 16] = 4;  // ranges that overlap
    fill();
    CHECK(begins_anew(broken));
    broken = good;
    broken[512 + 16 + 15] = '\x80';  // more than fits
    fill();
    CHECK(begins_anew(broken));
    fill();
    fs::resize_file(path, 3);  // less than the state says
    CHECK(PartFile(path, 10, kOne, 5).done_bytes() == 0);
    fill();
    CHECK(PartFile(path, 11, kOne, 5).done_bytes() == 0);
    fill();
    CHECK(PartFile(path, 10, kTwo, 5).done_bytes() == 0);
  }

  TEST_CASE("part_file: a symlink in the place of a part is not followed") {
    const TestingFolder folder;
    const fs::path target = folder.write("precious", "keep");
    fs::create_symlink(target, folder.path / "a.part");
    CHECK_FALSE(toolkit::testing::refusal_of([&] { PartFile(folder.path / "a.part", 10, kOne, 5); },
                                             toolkit::ErrorKind::kIo)
                    .empty());
    CHECK(toolkit::read_file(target) == "keep");
  }

  TEST_CASE("part_file: a part that was published is never written to again") {
    const TestingFolder folder;
    const fs::path path = folder.path / "a.part", published = folder.path / "model.gguf";
    const auto fill_and_publish = [&](size_t bytes) {
      fs::remove(published);
      PartFile part(path, 10, kOne, 10);
      part.restart(10);
      part.write(0, std::string(bytes, 'a').data(), bytes);
      fs::create_hard_link(path, published);
      fs::permissions(published, fs::perms::owner_read);
    };
    fill_and_publish(10);
    CHECK(PartFile(path, 10, kOne, 10).complete());  // whole: hashed and linked once more
    CHECK(fs::hard_link_count(published) == 2);
    fs::resize_file(path.string() + ".state", 0);
    PartFile(path, 10, kOne, 10).write(0, "bbb", 3);  // its state was lost
    CHECK(toolkit::read_file(published) == "aaaaaaaaaa");
    CHECK(toolkit::read_file(path) == "bbb");
    fill_and_publish(4);
    CHECK(PartFile(path, 10, kOne, 10).done_bytes() == 0);
    CHECK(toolkit::read_file(published) == "aaaa");
    fill_and_publish(10);
    PartFile part(path, 10, kOne, 10);
    part.restart(10);
    CHECK(toolkit::read_file(published) == "aaaaaaaaaa");
  }

  TEST_CASE("part_file: strange ETags are left out, many ranges are limited") {
    const TestingFolder folder;
    PartFile part(folder.path / "a.part", uint64_t{1} << 40, kOne, 1);
    CHECK(part.ranges().size() <= 1024);
    part.set_etag("\"a b\"", "https://h");
    part.set_etag(std::string(300, 'x'), "https://h");
    CHECK(part.etag().empty());
    PartFile empty(folder.path / "b.part", 0, kOne, 5);
    CHECK(empty.complete());
    CHECK(empty.ranges().empty());
  }
}
