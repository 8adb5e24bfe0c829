#!/usr/bin/env python3
"""Makes tests/fixtures/search/gaussian_process.json: posterior and likelihood of a Gaussian process.

    uv run --with scikit-learn==1.7.2 --with numpy==2.2.6 scripts/reference/gaussian_process.py
"""

import json
import pathlib

import numpy
import sklearn
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

random = numpy.random.default_rng(0)
inputs = random.random((12, 3)).round(4)
targets = (numpy.sin(5 * inputs[:, 0]) + inputs[:, 1] ** 2 + 0.1 * random.standard_normal(12)).round(4)
queries = random.random((6, 3)).round(4)
lengths, signal, noise = [0.4, 1.3, 5.0], 1.7, 0.02
kernel = ConstantKernel(signal) * Matern(lengths, nu=2.5) + WhiteKernel(noise)
process = GaussianProcessRegressor(kernel, optimizer=None, alpha=0).fit(inputs, targets)
mean, deviation = process.predict(queries, return_std=True)
likelihood, gradient = process.log_marginal_likelihood(process.kernel_.theta, eval_gradient=True)
result = {
    "made_by": f"scikit-learn {sklearn.__version__}, numpy {numpy.__version__}",
    "inputs": inputs.tolist(), "targets": targets.tolist(), "queries": queries.tolist(),
    "lengths": lengths, "signal": signal, "noise": noise, "mean": mean.tolist(),
    # scikit-learn's deviation is of a new measurement, noise included.
    "noisy_deviation": deviation.tolist(), "log_marginal_likelihood": likelihood,
    # theta is signal, lengths, noise.
    "gradient": gradient[[1, 2, 3, 0, 4]].tolist(),
}
path = pathlib.Path(__file__).parents[2] / "tests/fixtures/search/gaussian_process.json"
path.parent.mkdir(parents=True, exist_ok=True)
path.write_text(json.dumps(result, indent=1) + "\n")
