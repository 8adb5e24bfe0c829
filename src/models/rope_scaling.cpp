#include "models/rope_scaling.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "models/config_reader.h"

namespace toolkit::models {

namespace {

constexpr int64_t kMaxPositions = int64_t{1} << 31;

std::vector<double> plain_frequencies(double base, int width) {
  std::vector<double> frequencies(static_cast<size_t>(width / 2));
  for (size_t i = 0; i < frequencies.size(); ++i)
    frequencies[i] = std::pow(base, -2.0 * static_cast<double>(i) / width);
  return frequencies;
}

void scale_llama3(std::vector<double>& frequencies, const ConfigReader& reader, int max_positions) {
  const double factor = reader.positive("factor");
  const double low = reader.positive("low_freq_factor"), high = reader.positive("high_freq_factor");
  if (high <= low)
    fail(ErrorKind::kUserInput, "{}: \"high_freq_factor\" {} must be above \"low_freq_factor\" {}",
         reader.source(), high, low);
  const double trained =
      reader.integer_or("original_max_position_embeddings", max_positions, 1, kMaxPositions);
  for (double& frequency : frequencies) {
    const double turns =
        trained * frequency / (2.0 * std::numbers::pi);  // within the trained length
    const double keep = std::clamp((turns - low) / (high - low), 0.0, 1.0);
    frequency = (1.0 - keep) * frequency / factor + keep * frequency;
  }
}

/// Yarn: pairs that turn often keep their angle, slow ones are interpolated, a ramp lies between.
float scale_yarn(std::vector<double>& frequencies, const ConfigReader& reader, double base,
                 int width, int max_positions) {
  const double trained =
      reader.integer_or("original_max_position_embeddings", max_positions, 1, kMaxPositions);
  const double factor = reader.positive_or("factor", max_positions / trained);
  const auto magnitude = [&](double weight) {
    return factor <= 1.0 ? 1.0 : 0.1 * weight * std::log(factor) + 1.0;
  };
  double attention = magnitude(1.0);
  if (reader.has("attention_factor")) {
    attention = reader.positive("attention_factor");
  } else if (reader.has("mscale") && reader.has("mscale_all_dim")) {
    attention = magnitude(reader.positive("mscale")) / magnitude(reader.positive("mscale_all_dim"));
  }
  const auto pair_with_turns = [&](double turns) {
    return width * std::log(trained / (turns * 2.0 * std::numbers::pi)) / (2.0 * std::log(base));
  };
  double low = pair_with_turns(reader.positive_or("beta_fast", 32.0));
  double high = pair_with_turns(reader.positive_or("beta_slow", 1.0));
  if (reader.flag_or("truncate", true)) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, width - 1.0);
  if (low == high) high += 0.001;
  for (size_t i = 0; i < frequencies.size(); ++i) {
    const double interpolate = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    frequencies[i] *= interpolate / factor + (1.0 - interpolate);
  }
  return static_cast<float>(attention);
}

}  // namespace

DecoderConfig::Rope rope_from_parameters(const Json& parameters, const RopeContext& context) {
  if (!parameters.is_object())
    fail(ErrorKind::kUserInput, "{}: the rope parameters must be an object, found {}",
         context.source, parameters.dump().substr(0, 80));
  const ConfigReader reader(parameters, context.source);
  const double base = reader.positive("rope_theta");
  if (base <= 1.0) reader.wrong("rope_theta", "above 1", parameters.at("rope_theta"));
  const double share = reader.positive_or("partial_rotary_factor", 1.0);
  if (share > 1.0)
    reader.wrong("partial_rotary_factor", "at most 1", parameters.at("partial_rotary_factor"));
  const int width = static_cast<int>(context.head_dim * share);
  if (width < 2 || width % 2 != 0)
    fail(ErrorKind::kUserInput, "{}: {} of {} head dimensions rotate; it must be an even number",
         context.source, width, context.head_dim);

  std::vector<double> frequencies = plain_frequencies(base, width);
  DecoderConfig::Rope rope;
  const std::string type = reader.text_or("rope_type", reader.text_or("type", "default"));
  if (type == "linear") {
    const double factor = reader.positive("factor");
    for (double& frequency : frequencies) frequency /= factor;
  } else if (type == "llama3") {
    scale_llama3(frequencies, reader, context.max_positions);
  } else if (type == "yarn") {
    rope.scale = scale_yarn(frequencies, reader, base, width, context.max_positions);
  } else if (type != "default" && type != "dynamic") {
    fail(ErrorKind::kUnsupported,
         "{}: rope type '{}' is not supported; known: default, linear, dynamic, llama3, yarn",
         context.source, type);
  }
  rope.frequencies.assign(frequencies.begin(), frequencies.end());
  return rope;
}

}  // namespace toolkit::models
