#include "projects/inspect/doctor.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using namespace toolkit::inspect;

namespace {

Report sample() {
  return {.hardware = {.os = "Debian GNU/Linux 12",
                       .cpu = "Some CPU",
                       .cores = 2,
                       .instruction_sets = {"avx2", "fma"},
                       .memory_bytes = 16000000000},
          .available_bytes = 12300000000,
          .toolkit_version = "0.1.0",
          .mlx_version = "0.32.4",
          .backend = "CPU",
          .kernels = "AVX3_SPR"};
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("doctor: the page names machine, engine and what is missing") {
    Report report = sample();
    report.findings = {{"the sample model", "run `make setup`"}};
    const std::string page = to_page(report, false);
    CHECK(page.find("processor               Some CPU, 2 cores\n") != std::string::npos);
    CHECK(page.find("memory                  16.0 GB, 12.3 GB available\n") != std::string::npos);
    CHECK(page.find("GPU                     none found\n") != std::string::npos);
    CHECK(page.find("kernels                 ours, for AVX-512 (AVX3_SPR)\n") != std::string::npos);
    CHECK(page.find("the sample model: run `make setup`") != std::string::npos);
    CHECK(page.find("Measured") == std::string::npos);
    CHECK(page.find('\x1b') == std::string::npos);
    CHECK(to_json(report)["missing"][0]["remedy"] == "run `make setup`");
    CHECK(!to_json(report).contains("measured"));
  }

  TEST_CASE("doctor: measured values stand on the page and in the JSON") {
    Report report = sample();
    report.measured = toolkit::engine::MachineRates{.matrix_product = 65.4e9,
                                                    .linear = {{"f32", 300e9}, {"int8", 900e9}},
                                                    .read_bytes_per_second = 15.2e9};
    report.compute = "int8";
    const std::string page = to_page(report, false);
    CHECK(page.find("MLX matrix product f32  65 GFLOP/s\n") != std::string::npos);
    CHECK(page.find("linear layer int8       900 GOP/s, forward and backward\n") !=
          std::string::npos);
    CHECK(page.find("reading memory          15 GB/s\n") != std::string::npos);
    CHECK(page.find("--compute auto is       int8\n") != std::string::npos);
    CHECK(page.find("Nothing is missing.") != std::string::npos);
    CHECK(to_json(report)["measured"]["linear_ops"]["f32"] == 300e9);
    CHECK(to_json(report)["measured"]["compute_auto"] == "int8");
  }

  TEST_CASE("doctor: kernels in words") {
    CHECK(kernel_text("plain") == "MLX's own");
    CHECK(kernel_text("AVX2") == "ours, for AVX2");
    CHECK(kernel_text("NEON") == "ours, for NEON");
  }
}
