#include "projects/finetune/checkpoints.h"

#include <doctest/doctest.h>

#include <fstream>

#include "core/base/testing.h"
#include "mlx/mlx.h"

using namespace toolkit;
using namespace toolkit::finetune;
namespace fs = std::filesystem;

namespace {

void save(Checkpoints& checkpoints, int64_t step, int64_t best_step = -1) {
  engine::TrainingState state;
  state.step = step;
  state.best_step = best_step;
  state.parameters.emplace("x", mx::full({2}, static_cast<float>(step)));
  checkpoints.save(state, [](const fs::path& folder) { std::ofstream(folder / "adapter") << "a"; });
}

std::vector<int64_t> steps(const Checkpoints& checkpoints) {
  std::vector<int64_t> steps;
  for (const Checkpoint& checkpoint : checkpoints.all()) steps.push_back(checkpoint.step);
  return steps;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the newest checkpoints stay and the best one with them") {
    const testing::TestingFolder run;
    Checkpoints checkpoints(run.path, 2);
    save(checkpoints, 5);
    save(checkpoints, 10, 10);
    save(checkpoints, 15, 10);
    save(checkpoints, 1000000, 10);
    CHECK(steps(checkpoints) == std::vector<int64_t>{10, 15, 1000000});
    save(checkpoints, 1000001, 1000001);
    CHECK(steps(checkpoints) == std::vector<int64_t>{1000000, 1000001});
    CHECK(fs::exists(checkpoints.newest()->folder / "adapter"));
    CHECK(engine::load_training_state(checkpoints.newest()->state())->step == 1000001);
    CHECK_FALSE(checkpoints.of_step(10));
  }

  TEST_CASE("what is not complete is no checkpoint and goes with the next save") {
    const testing::TestingFolder run;
    Checkpoints checkpoints(run.path, 3);
    run.write("checkpoints/step-000020.partial/training_state.safetensors", std::string("half"));
    run.write("checkpoints/notes.txt", std::string("mine"));
    CHECK_FALSE(checkpoints.newest());
    save(checkpoints, 3);
    CHECK(steps(checkpoints) == std::vector<int64_t>{3});
    CHECK_FALSE(fs::exists(run.path / "checkpoints/step-000020.partial"));
    CHECK(fs::exists(run.path / "checkpoints/notes.txt"));
  }

  TEST_CASE(
      "a new run removes the checkpoints of the former one and a resumed one those behind it") {
    const testing::TestingFolder run;
    Checkpoints former(run.path, 9);
    for (const int64_t step : {2, 4, 6}) save(former, step);
    Checkpoints resumed(run.path, 9);
    resumed.start_at(4);
    CHECK(steps(resumed) == std::vector<int64_t>{2, 4, 6});
    save(resumed, 5);
    CHECK(steps(resumed) == std::vector<int64_t>{2, 4, 5});
    Checkpoints fresh(run.path, 9);
    save(fresh, 1);
    CHECK(steps(fresh) == std::vector<int64_t>{1});
  }

  TEST_CASE("a checkpoint is found by its folder or by that of its run") {
    const testing::TestingFolder run, other;
    Checkpoints checkpoints(run.path, 9);
    save(checkpoints, 2);
    save(checkpoints, 4);
    CHECK(find_checkpoint(run.path).step == 4);
    CHECK(find_checkpoint(run.path / "checkpoints/step-000002/").step == 2);
    CHECK_FALSE(
        testing::refusal_of([&] { find_checkpoint(other.path); }, ErrorKind::kNotFound).empty());
    Checkpoints mine(other.path, 1);
    mine.adopt(*checkpoints.of_step(2));
    CHECK(engine::load_training_state(mine.newest()->state())->step == 2);
  }
}
