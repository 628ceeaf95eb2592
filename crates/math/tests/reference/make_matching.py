"""Reference numbers for `tests/reference.rs`: SciPy and scikit-learn.

    python make_matching.py > matching.txt

One line a series: name, then values. Matrices are row-major, their shapes are in the test.
"""

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import pdist
from sklearn.cluster import SpectralClustering
from sklearn.metrics import adjusted_rand_score, mutual_info_score

rng = np.random.default_rng(12)


def put(name, values):
    print(name, *(repr(float(v)) for v in np.ravel(values)))


# Assignment: random costs, integer costs with many ties, a rectangle.
for name, shape in [("square", (20, 20)), ("ties", (20, 20)), ("wide", (12, 19)), ("tall", (19, 12))]:
    cost = rng.integers(0, 5, shape).astype(float) if name == "ties" else rng.normal(size=shape).round(6)
    rows, cols = linear_sum_assignment(cost)
    put(f"{name}.cost", cost)
    put(f"{name}.least", [cost[rows, cols].sum()])
    rows, cols = linear_sum_assignment(cost, maximize=True)
    put(f"{name}.most", [cost[rows, cols].sum()])

# Mutual information in bits of binned rectified series.
x = np.maximum(rng.normal(size=400), 0).round(6)
y = np.maximum(x + 0.5 * rng.normal(size=400), 0).round(6)


def bins(v, k=15):
    positive = np.sort(v[v != 0])
    edges = positive[np.arange(1, k) * len(positive) // k]
    return np.where(v == 0, 0, 1 + np.searchsorted(edges, v, side="right"))


put("mi.x", x)
put("mi.y", y)
put("mi.bits", [mutual_info_score(bins(x), bins(y)) / np.log(2)])

# Average linkage.
points = rng.normal(size=(25, 3)).round(6)
d = pdist(points)
tree = linkage(d, method="average")
put("linkage.points", points)
put("linkage.tree", tree)
put("linkage.leaves", leaves_list(tree))

# Spectral clustering of a bipartite graph of three noisy blocks.
left, right = np.repeat([0, 1, 2], [8, 6, 10]), np.repeat([0, 1, 2], [9, 7, 6])
w = np.where(left[:, None] == right[None, :], rng.uniform(0.4, 1, (24, 22)), rng.uniform(0, 0.1, (24, 22))).round(6)
a = np.zeros((46, 46))
a[:24, 24:] = w
a += a.T
labels = SpectralClustering(3, affinity="precomputed", random_state=0).fit_predict(a)
root = 1 / np.sqrt(a.sum(1))
put("spectral.weights", w)
put("spectral.labels", labels)
put("spectral.eigenvalues", np.linalg.eigvalsh(np.eye(46) - root[:, None] * a * root[None, :])[:6])
p, q = [0, 0, 1, 2, 2, 1, 0, 2], [1, 1, 0, 2, 0, 0, 1, 2]
put("rand.index", [adjusted_rand_score(p, q)])
