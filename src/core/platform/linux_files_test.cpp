#include "core/platform/linux_files.h"

#include <doctest/doctest.h>

#include "core/base/testing.h"

namespace fs = std::filesystem;
using namespace toolkit::platform;

namespace {

/// A root folder with the files of a made-up machine.
struct Machine : toolkit::testing::TestingFolder {
  fs::path root = path;
  void file(const std::string& name, const std::string& text) { write(name, text); }
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("linux: names and instruction sets") {
    Machine machine;
    CHECK(linux_os(machine.root) == "Linux");
    CHECK(linux_cpu(machine.root) == "");
    machine.file("etc/os-release", "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n");
    machine.file("proc/cpuinfo",
                 "processor\t: 0\nmodel\t\t: 143\nmodel name\t: Some(R) CPU @ 2GHz\nflags\t\t: fpu "
                 "avx2 avx512f avx512_vnni fma\n");
    CHECK(linux_os(machine.root) == "Debian GNU/Linux 12 (bookworm)");
    CHECK(linux_cpu(machine.root) == "Some(R) CPU @ 2GHz");
    CHECK(linux_instruction_sets(machine.root) ==
          std::vector<std::string>{"avx2", "fma", "avx512f", "avx512_vnni"});
    machine.file("proc/cpuinfo", "Features\t: fp asimd asimddp i8mm\n");
    CHECK(linux_instruction_sets(machine.root) ==
          std::vector<std::string>{"neon", "dotprod", "i8mm"});
  }

  TEST_CASE("linux: cgroup v2 limits count at every level") {
    Machine machine;
    machine.file("proc/self/cgroup", "0::/system/job\n");
    CHECK(!cgroup_cores(machine.root));
    CHECK(!cgroup_memory_limit(machine.root));
    machine.file("sys/fs/cgroup/system/job/cpu.max", "max 100000\n");
    machine.file("sys/fs/cgroup/system/cpu.max", "150000 100000\n");
    machine.file("sys/fs/cgroup/system/job/memory.max", "4000000000\n");
    machine.file("sys/fs/cgroup/system/memory.max", "max\n");
    machine.file("sys/fs/cgroup/memory.max", "8000000000\n");
    CHECK(cgroup_cores(machine.root) == 2);
    CHECK(cgroup_memory_limit(machine.root) == 4000000000);
    machine.file("sys/fs/cgroup/system/job/memory.current", "3000000000\n");
    machine.file("sys/fs/cgroup/system/job/memory.stat", "anon 5\ninactive_file 500000000\n");
    CHECK(cgroup_memory_available(machine.root) == 1500000000);
  }

  TEST_CASE("linux: in a container the mount's root holds the limits") {
    Machine machine;
    machine.file("proc/self/cgroup", "0::/../../kubepods/pod1\n");
    machine.file("sys/fs/cgroup/cpu.max", "50000 100000\n");
    machine.file("sys/fs/cgroup/memory.max", "1000000000\n");
    CHECK(cgroup_cores(machine.root) == 1);
    CHECK(cgroup_memory_limit(machine.root) == 1000000000);
  }

  TEST_CASE("linux: cgroup v1 limits") {
    Machine machine;
    machine.file("proc/self/cgroup", "5:cpu,cpuacct:/job\n4:memory:/job\n0::/\n");
    machine.file("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "250000\n");
    machine.file("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
    machine.file("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    machine.file("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "2000000000\n");
    CHECK(cgroup_cores(machine.root) == 3);
    CHECK(cgroup_memory_limit(machine.root) == 2000000000);
  }

  TEST_CASE("linux: kilobyte lines") {
    Machine machine;
    machine.file("proc/meminfo", "MemTotal:       16318488 kB\nMemFree: 1 kB\n");
    CHECK(kilobyte_line(machine.root / "proc/meminfo", "MemTotal") == int64_t{16318488} * 1024);
    CHECK(kilobyte_line(machine.root / "proc/meminfo", "Mem") == 0);
    CHECK(kilobyte_line(machine.root / "nothing", "MemTotal") == 0);
  }
}
