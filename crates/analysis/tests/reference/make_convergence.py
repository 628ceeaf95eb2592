"""Reference numbers for `tests/convergence_reference.rs`: NumPy and scikit-learn.

    python make_convergence.py > convergence.txt

One line a series: name, then values. Matrices are row-major, samples x units.
"""

import numpy as np
from sklearn.linear_model import Lasso

rng = np.random.default_rng(12)


def put(name, values):
    print(name, *(repr(float(v)) for v in np.ravel(values)))


n, p = 120, 6
s = rng.normal(size=(n, 2))
x = np.maximum(s @ rng.normal(size=(2, p)) + 0.6 * rng.normal(size=(n, p)), 0).round(6)
y = np.maximum(s @ rng.normal(size=(2, 4)) + 0.6 * rng.normal(size=(n, 4)), 0).round(6)
put("x", x)
put("y", y)
put("corrcoef", np.corrcoef(x.T, y.T))

zx = (x - x.mean(0)) / x.std(0)
zy = (y - y.mean(0)) / y.std(0)
for alpha in [1e-5, 1e-4, 1e-3, 1e-2, 1e-1]:
    fit = Lasso(alpha=alpha, tol=1e-12, max_iter=1_000_000, fit_intercept=False).fit(zx, zy)
    put(f"lasso.{alpha:g}", fit.coef_)
put("lasso.0", np.linalg.lstsq(zx, zy, rcond=None)[0].T)

qx, _ = np.linalg.qr(x - x.mean(0))
qy, _ = np.linalg.qr(y - y.mean(0))
put("cca", np.linalg.svd(qx.T @ qy, compute_uv=False))
