"""SciPy: the parametric scaling law of Hoffmann et al. (2022) fitted to a table of runs by L-BFGS-B with analytic
gradients, from the 4,500 starts of the paper, and refits of resampled runs from the best. The five runs of the highest
loss are left out. Processes share the starts, one a thread.

Figures: fit_seconds, bootstrap_seconds, objective (the lowest sum of Huber losses), and the constants."""

import csv
import itertools
import multiprocessing
import time

import rounds

arguments = rounds.parse(__doc__, table="", samples=4000)

import numpy as np
from scipy.optimize import minimize

DELTA = 1e-3


def read(path):
    with open(path) as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    n, c, loss = (np.array([float(row[name]) for row in rows]) for name in ("N", "C", "loss"))
    keep = np.argsort(loss)[:-5]
    return np.log(n[keep]), np.log((c / 6 / n)[keep]), np.log(loss[keep])


def objective(x, n, d, loss):
    a, b, e, alpha, beta = x
    terms = np.stack([a - alpha * n, b - beta * d, np.full_like(n, e)])
    # The logarithm of a sum of exponentials by hand: scipy.special.logsumexp takes several times as long.
    largest = terms.max(axis=0)
    shares = np.exp(terms - largest)
    total = shares.sum(axis=0)
    residual = largest + np.log(total) - loss
    clipped = np.clip(residual, -DELTA, DELTA)
    share = shares * (clipped / total)
    gradient = [share[0].sum(), share[1].sum(), share[2].sum(), -(share[0] * n).sum(), -(share[1] * d).sum()]
    return (clipped * (residual - 0.5 * clipped)).sum(), np.array(gradient)


def fit(start, data):
    options = {"ftol": 1e-12, "gtol": 1e-9, "maxiter": 1000, "maxfun": 2000}
    return minimize(objective, start, data, jac=True, method="L-BFGS-B", options=options)


def fit_start(start):
    with np.errstate(all="ignore"):
        result = fit(start, DATA)
    return result.fun if np.isfinite(result.fun) else np.inf, result.x


def refit(seed):
    best, number = seed
    chosen = np.random.default_rng(number).integers(0, len(DATA[0]), len(DATA[0]))
    return fit(best, tuple(column[chosen] for column in DATA)).x


DATA = read(arguments.table)
exponents = np.arange(0, 2.5, 0.5)
grid = [(a, b, e, alpha, beta) for alpha, beta, e, a, b in itertools.product(
    exponents, exponents, np.arange(-1, 1.5, 0.5), np.arange(0, 30, 5), np.arange(0, 30, 5))]


def work():
    with multiprocessing.Pool(arguments.threads) as pool:
        start = time.perf_counter()
        value, best = min(pool.map(fit_start, grid, chunksize=50), key=lambda result: result[0])
        fitted = time.perf_counter()
        pool.map(refit, [(best, number) for number in range(arguments.samples)], chunksize=50)
        done = time.perf_counter()
    return {"fit_seconds": fitted - start, "bootstrap_seconds": done - fitted, "objective": value,
            "E": float(np.exp(best[2])), "alpha": best[3], "beta": best[4]}


rounds.run(arguments, work)
