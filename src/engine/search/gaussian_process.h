#pragma once

#include <cstdint>
#include <vector>

namespace toolkit::search {

/// Logarithms of a kernel's parameters.
struct KernelParameters {
  std::vector<double> log_lengths;  // one per dimension
  double log_signal = 0;            // of the variance
  double log_noise = 0;             // of the variance
};

/// Regression with a Gaussian process: Matern kernel with nu = 5/2 and a length of its own per
/// dimension, white noise (Rasmussen & Williams 2006, Gaussian Processes for Machine Learning, 2.2,
/// 4.2, 5.4).
class GaussianProcess {
 public:
  struct Prediction {
    double mean = 0, deviation = 0;  // of the noise-free function
  };

  /// With given parameters and mean zero. `inputs`: N rows of F features; feature f belongs to
  /// dimension `dimensions[f]`. Throws Error(kInternal) if the covariance is not positive definite
  /// even with more noise.
  GaussianProcess(std::vector<std::vector<double>> inputs, std::vector<double> targets,
                  std::vector<int> dimensions, KernelParameters parameters);

  /// Standardizes the targets and takes the parameters of the highest posterior density: marginal
  /// likelihood, lengths log-normal around sqrt(2) + log(D) / 2 (Hvarfner et al. 2024,
  /// arXiv:2402.02229), noise around 0.02 of the variance. Gradient ascent by iRprop- from several
  /// starts. Same seed, same process.
  static GaussianProcess fit(std::vector<std::vector<double>> inputs, std::vector<double> targets,
                             std::vector<int> dimensions, uint64_t seed);

  Prediction predict(const std::vector<double>& input) const;
  double mean(const std::vector<double>& input) const;

  double log_marginal_likelihood() const;
  /// Its gradient: lengths, signal, noise (all logarithms).
  std::vector<double> likelihood_gradient() const;
  const KernelParameters& parameters() const { return parameters_; }

 private:
  double covariance(const std::vector<double>& a, const std::vector<double>& b) const;
  std::vector<double> covariances(const std::vector<double>& input) const;

  std::vector<std::vector<double>> inputs_;
  std::vector<double> targets_;
  std::vector<int> dimensions_;
  KernelParameters parameters_;
  std::vector<double> factor_;   // lower triangle L of K = L L^T, rows of N
  std::vector<double> weights_;  // K^-1 y
  double offset_ = 0, scale_ = 1;
};

}  // namespace toolkit::search
