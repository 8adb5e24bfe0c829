#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

#include "core/base/json.h"
#include "core/optim/optimizer.h"
#include "mlx/mlx.h"

using namespace toolkit;
using namespace toolkit::optim;

namespace {

// Made by scripts/reference/optimizers.py.
Json reference() {
  std::ifstream file(std::string(TOOLKIT_FIXTURES) + "/optim/optimizers.json");
  std::stringstream text;
  text << file.rdbuf();
  return parse_json(text.str(), "optimizers.json");
}

std::vector<mx::array> arrays(const Json& numbers, const Json& shapes) {
  std::vector<mx::array> result;
  for (size_t i = 0; i < shapes.size(); ++i) {
    mx::Shape shape;
    for (const auto& size : shapes[i]) shape.push_back(size.get<int>());
    const auto values = numbers[i].get<std::vector<float>>();
    result.emplace_back(values.begin(), shape, mx::float32);
  }
  return result;
}

OptimizerSettings settings_of(const Json& json) {
  OptimizerSettings settings;
  settings.beta1 = json.value("beta1", settings.beta1);
  settings.beta2 = json.value("beta2", settings.beta2);
  settings.eps = json.value("eps", settings.eps);
  settings.weight_decay = json.value("weight_decay", settings.weight_decay);
  settings.momentum = json.value("momentum", settings.momentum);
  settings.nesterov = json.value("nesterov", settings.nesterov);
  settings.relative_step = json.value("relative_step", settings.relative_step);
  settings.scale_parameter = json.value("scale_parameter", settings.scale_parameter);
  for (const Json& rule : json.value("rules", Json::array()))
    settings.rules.push_back({.rate_factor = rule.at("rate_factor"), .decays = rule.at("decays")});
  return settings;
}

}  // namespace

TEST_SUITE("reference") {
  TEST_CASE("ten steps of every optimizer end where torch and transformers and MLX end") {
    const Json all = reference();
    const Json& shapes = all.at("shapes");
    for (const Json& test : all.at("cases")) {
      const Json& given = test.at("settings");
      const std::string name = test.at("optimizer");
      CAPTURE(name);
      CAPTURE(given.dump());
      const auto optimizer = make_optimizer(name, settings_of(given));
      const StepInputs inputs{.learning_rate = all.at("learning_rate"),
                              .gradient_scale = given.value("gradient_scale", 1.0),
                              .max_norm = given.value("max_norm", 0.0)};
      std::vector<mx::array> parameters = arrays(all.at("start"), shapes);
      for (const Json& step : all.at("gradients")) {
        parameters = optimizer->step(parameters, arrays(step, shapes), inputs).parameters;
        mx::eval(parameters);
      }
      const std::vector<mx::array> end = arrays(test.at("end"), shapes);
      for (size_t i = 0; i < end.size(); ++i) {
        const mx::array gap = mx::max(mx::abs(mx::subtract(parameters[i], end[i])));
        CHECK(mx::array(gap).item<float>() < 2e-5f);
      }
    }
  }
}
