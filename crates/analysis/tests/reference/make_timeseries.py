"""Writes timeseries.txt: reference numbers for `neuropil_analysis::timeseries` and `linear_models`.

Made with numpy 2, scipy 1, pandas 3 and scikit-learn 1: `python make_timeseries.py > timeseries.txt`. One line per
array: its name, then its values.
"""
import warnings

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter1d
from sklearn.linear_model import Ridge
from sklearn.preprocessing import PowerTransformer, QuantileTransformer, StandardScaler

warnings.simplefilter("ignore")
rng = np.random.default_rng(13)


def show(name, values):
    print(name, *(repr(float(v)) for v in np.ravel(values)))


n = 60
t = np.cumsum(rng.uniform(0.1, 0.9, n))
y = np.sin(t) + 0.3 * rng.standard_normal(n)
show("t", t)
show("y", y)
show("gradient", np.gradient(y, t))
to = np.linspace(t[0] - 1.0, t[-1] + 1.0, 97)
show("to", to)
show("interp", np.interp(to, t, y))
for sigma in (0.7, 5.0):
    show(f"gaussian_{sigma}", gaussian_filter1d(y, sigma))
show("gaussian_short", gaussian_filter1d(y[:4], 5.0))
show("zscore", StandardScaler().fit_transform(y[:, None]))
show("zscore_constant", StandardScaler().fit_transform(np.full((7, 1), 0.1)))

causal = []
for i in range(n):
    past = y[: i + 1]
    causal.append(0.0 if i == 0 else (past[-1] - past.mean()) / past.std(ddof=1))
show("zscore_causal", causal)

sigma = 5.0
full = []
for i in range(n):
    w = np.exp(-np.arange(i + 1) ** 2 / (2 * sigma**2))
    full.append((w * y[i::-1]).sum() / w.sum())
show("gaussian_causal", full)
show("ewm", pd.Series(y).ewm(alpha=0.3, adjust=False).mean())
show("moving", pd.Series(y).rolling(8, min_periods=1).mean())

gaps = y.copy()
gaps[[0, 1, 7, 20, 21, 22, 40, 58, 59]] = np.nan
show("filled", pd.Series(gaps, index=t).interpolate(method="index", limit_direction="both"))

for name, dt in (("up", 0.2), ("down", 2.0)):
    median = np.median(np.diff(t))
    fine = dt if dt < median else dt / 6
    grid = np.arange(t[0], t[-1] + fine, fine)
    x = np.interp(grid, t, y)
    if dt >= median:
        k = len(grid) // 6 * 6
        grid, x = grid[:k].reshape(-1, 6).mean(1), x[:k].reshape(-1, 6).mean(1)
    show(f"{name}_t", grid)
    show(f"{name}_y", x)

skewed = np.sign(y) * np.abs(y) ** 1.7 + 0.4
show("skewed", skewed)
power = PowerTransformer()
show("power", power.fit_transform(skewed[:, None]))
show("power_lambda", power.lambdas_)
# 65 values: k / 64 is exact, so that scikit-learn's quantiles hit the samples and its ties are ties.
ties = np.round(np.concatenate([y, y[:5] + 0.25]), 1)
show("ties", ties)
show("quantile", QuantileTransformer(n_quantiles=65).fit_transform(ties[:, None]))

x = rng.standard_normal((40, 5))
z = x @ rng.standard_normal((5, 3)) + rng.standard_normal((40, 3)) + 2.0
fit = Ridge(alpha=0.7).fit(x, z)
show("ridge_x", x)
show("ridge_y", z)
show("ridge_coef", fit.coef_.T)
show("ridge_intercept", fit.intercept_)

# AR(1) with a mask: one regression per target on the sources that the mask allows.
steps, units = 80, 4
a = rng.standard_normal((steps, units))
for k in range(1, steps):
    a[k] += 0.5 * a[k - 1] + 0.2 * a[k - 1][::-1]
allowed = np.array([[1, 1, 0, 0], [0, 1, 0, 1], [1, 1, 1, 1], [0, 0, 0, 1]], dtype=bool)
w = np.zeros((units, units))
b = np.zeros(units)
for j in range(units):
    f = Ridge(alpha=0.7).fit(a[:-1][:, allowed[j]], a[1:, j])
    w[j, allowed[j]], b[j] = f.coef_, f.intercept_
show("ar_x", a.T)
show("ar_weights", w)
show("ar_intercept", b)
