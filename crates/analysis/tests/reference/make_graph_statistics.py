"""Reference numbers for communities and power_law: networkx 3.6.1, powerlaw 2.0.0, mpmath 1.4.1.

    python make_graph_statistics.py      # rewrites power_law_*.txt, prints the numbers kept in ../reference.rs
"""
import logging, os, warnings
import networkx as nx, numpy as np, powerlaw
from networkx.algorithms.community import louvain_communities, modularity

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)
here = os.path.dirname(os.path.abspath(__file__))

# Graphs by formula, so that the Rust test builds the same ones without a file.
n = 60
und = nx.Graph()
und.add_nodes_from(range(n))
dir_ = nx.DiGraph()
dir_.add_nodes_from(range(n))
for i in range(n):
    for j in range(n):
        h = (i * i * 7 + j * j * 13 + i * j * 5 + 3 * i) % 101
        same = i // 15 == j // 15
        if h < (40 if same else 6):
            w = 1 + h % 4
            if i <= j:
                und.add_edge(i, j, weight=w)  # self-loops included
            dir_.add_edge(i, j, weight=w)
parts = [set(range(15 * k, 15 * k + 15)) for k in range(4)]
odd = [{i for i in range(n) if (i * 3 + i // 7) % 5 == k} for k in range(5)]
for name, g in (("undirected", und), ("directed", dir_)):
    print(name, g.number_of_edges(), g.size(weight="weight"))
    for res in (1.0, 0.5, 1.7):
        q = [modularity(g, p, weight="weight", resolution=res) for p in (parts, odd)]
        best = max(
            modularity(g, c, weight="weight", resolution=res)
            for c in (louvain_communities(g, weight="weight", resolution=res, seed=s) for s in range(100))
        )
        print(f"    ({res}, {q[0]!r}, {q[1]!r}, {best!r}),")
karate = nx.karate_club_graph()
print("karate best of 200", max(modularity(karate, louvain_communities(karate, weight=None, seed=s), weight=None) for s in range(200)))
print("karate edges", [(int(a), int(b)) for a, b in karate.edges()])

rng = np.random.default_rng(43)
sets = {
    "discrete": np.concatenate([rng.zipf(2.4, 700), rng.integers(1, 6, 150)]),
    "continuous": np.round(np.concatenate([2 * (1 - rng.random(500)) ** (-1 / 1.6), 2 * rng.random(250)]), 6),
    "log_normal": np.round(np.exp(1 + 0.8 * rng.standard_normal(600)), 6),
}
for name, x in sets.items():
    np.savetxt(f"{here}/power_law_{name}.txt", x, fmt="%.17g")
    discrete = name == "discrete"
    f = powerlaw.Fit(x, discrete=discrete, estimate_discrete=False, verbose=0)
    for fit in (f, powerlaw.Fit(x, discrete=discrete, estimate_discrete=False, xmin=2, verbose=0)):
        r, p = fit.distribution_compare("power_law", "lognormal", normalized_ratio=False)
        rn, _ = fit.distribution_compare("power_law", "lognormal", normalized_ratio=True)
        print(name, dict(alpha=fit.power_law.alpha, sigma=fit.power_law.sigma, xmin=fit.power_law.xmin, D=fit.power_law.D, n=fit.n_tail if hasattr(fit, "n_tail") else None,
              mu=fit.lognormal.mu, s=fit.lognormal.sigma, R=r, Rn=rn, p=p))
