"""Dissimilarity matrices of 1000 stimuli x 1000 units beside rsatoolbox, in turn, in one go.

    python benches/peers/rdm.py [--rounds 5] [--threads 2]

Needs `pip install rsatoolbox` in a scratch environment; builds `cargo build --release --workspace --examples`. Float64
on both sides. Every time is the median over all rounds, with the quartiles; a ratio above 1 means that Neuropil is faster. The
largest difference between the two matrices is printed beside it: a fast wrong answer would show.
"""
import argparse
import importlib.metadata
import json
import os
import statistics
import subprocess
import tempfile
import time
import warnings

parser = argparse.ArgumentParser()
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--threads", type=int, default=2)
args = parser.parse_args()
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[name] = str(args.threads)
import numpy as np
from rsatoolbox.data import Dataset
from rsatoolbox.rdm import calc_rdm

STIMULI, UNITS, REPEATS = 1000, 1000, 7
root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
subprocess.run(["cargo", "build", "--release", "--quiet", "--workspace", "--examples"], cwd=root, check=True)
warnings.simplefilter("ignore")

rng = np.random.default_rng(1)
signal = rng.standard_normal((STIMULI, UNITS))
folds = [signal + rng.standard_normal((STIMULI, UNITS)) for _ in range(2)]
one = Dataset(folds[0])
both = Dataset(np.vstack(folds), obs_descriptors={"stimulus": np.tile(np.arange(STIMULI), 2),
                                                  "run": np.repeat([0, 1], STIMULI)})
peers = {
    "euclidean": lambda: calc_rdm(one, method="euclidean"),
    "correlation": lambda: calc_rdm(one, method="correlation"),
    "crossnobis": lambda: calc_rdm(both, method="crossnobis", descriptor="stimulus", cv_descriptor="run"),
}
ours, theirs = {k: [] for k in peers}, {k: [] for k in peers}
with tempfile.TemporaryDirectory() as tmp:
    for k, fold in enumerate(folds):
        np.save(f"{tmp}/{k}.npy", fold)
    for _ in range(args.rounds):
        done = subprocess.run([f"{root}/target/release/examples/bench_rdm", f"{tmp}/0.npy", f"{tmp}/1.npy", f"{tmp}/out",
                               str(REPEATS)], check=True, capture_output=True, text=True)
        for name, times in json.loads(done.stdout).items():
            ours[name] += times
        for name, peer in peers.items():
            peer()
            for _ in range(REPEATS):
                start = time.perf_counter()
                peer()
                theirs[name].append((time.perf_counter() - start) * 1e3)
    print(f"{STIMULI} stimuli x {UNITS} units, float64, {args.threads} threads, rsatoolbox {importlib.metadata.version('rsatoolbox')}")
    for name, peer in peers.items():
        a, b = np.load(f"{tmp}/out-{name}.npy"), peer().dissimilarities[0]
        # Theirs is divided by the number of units.
        a = a / UNITS if name == "euclidean" else a
        median = [statistics.median(t[name]) for t in (ours, theirs)]
        low, _, high = zip(*(statistics.quantiles(t[name], n=4) for t in (ours, theirs)))
        print(f"{name:12s} Neuropil {median[0]:7.2f} ms ({low[0]:.2f}-{high[0]:.2f})   "
              f"rsatoolbox {median[1]:7.2f} ms ({low[1]:.2f}-{high[1]:.2f})   ratio {median[1] / median[0]:5.2f}   "
              f"largest difference {np.abs(a - b).max():.1e}")
