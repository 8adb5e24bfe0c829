#include "core/files/disk_space.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "core/base/testing.h"

using namespace toolkit::files;
using toolkit::ErrorKind;
using toolkit::testing::contains;
using toolkit::testing::refusal_of;
using toolkit::testing::TestingFolder;

TEST_SUITE("unit") {
  TEST_CASE("disk_space: of a folder, and of one that is not there yet") {
    const TestingFolder folder;
    const DiskSpace space = disk_space(folder.path);
    CHECK(space.total_bytes > 0);
    CHECK(space.free_bytes <= space.total_bytes);
    CHECK(!space.read_only);
    CHECK(disk_space(folder.path / "not" / "there").total_bytes == space.total_bytes);
    CHECK(disk_space(folder.write("file", "x") / "below").total_bytes == space.total_bytes);
    CHECK(disk_space("relative/none").total_bytes > 0);
  }

  TEST_CASE("disk_space: too little says what is needed and free") {
    const TestingFolder folder;
    require_disk_space(folder.path, 0);
    const DiskSpace space = disk_space(folder.path);
    const uint64_t needed = space.total_bytes + 12'400'000'000;
    const std::string refused =
        refusal_of([&] { require_disk_space(folder.path, needed); }, ErrorKind::kIo);
    CHECK(contains(refused, "needs " + shown_bytes(needed) + " in " + folder.path.string()));
    CHECK(contains(refused, " are free"));
    CHECK(
        contains(refusal_of([&] { require_disk_space(folder.path, ~uint64_t{0}); }, ErrorKind::kIo),
                 "needs 18.4 EB"));
    // A disk that would be full to the last byte is refused as well.
    CHECK(contains(
        refusal_of([&] { require_disk_space(folder.path, space.free_bytes); }, ErrorKind::kIo),
        "268 MB are kept free"));
  }

  TEST_CASE("disk_space: sizes as people read them") {
    CHECK(shown_bytes(0) == "0 B");
    CHECK(shown_bytes(512) == "512 B");
    CHECK(shown_bytes(999) == "999 B");
    CHECK(shown_bytes(1000) == "1.00 KB");
    CHECK(shown_bytes(873'000'000) == "873 MB");
    CHECK(shown_bytes(12'400'000'000) == "12.4 GB");
    CHECK(shown_bytes(999'499) == "999 KB");
    CHECK(shown_bytes(999'500) == "1.00 MB");
    CHECK(shown_bytes(9'996'000) == "10.0 MB");
    CHECK(shown_bytes(99'960'000) == "100 MB");
    CHECK(shown_bytes(~uint64_t{0}) == "18.4 EB");
  }

  TEST_CASE("sizes as people write them") {
    CHECK(bytes_from_text("10GB", "x") == 10'000'000'000);
    CHECK(bytes_from_text("1.5 gb", "x") == 1'500'000'000);
    CHECK(bytes_from_text("512M", "x") == 512'000'000);
    CHECK(bytes_from_text("2GiB", "x") == uint64_t{2} << 30);
    CHECK(bytes_from_text("4096", "x") == 4096);
    for (const char* wrong : {"", "GB", "-1GB", "10 apples", " 1GB", "nan", "inf", "1e30GB"}) {
      CAPTURE(wrong);
      CHECK_THROWS_WITH_AS(bytes_from_text(wrong, "--memory-limit"),
                           doctest::Contains("--memory-limit: expected a size such as 10GB"),
                           toolkit::Error);
    }
  }
}
