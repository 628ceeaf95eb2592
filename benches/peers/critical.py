"""Matrix completion by a deep linear chain (system 43): Neuropil beside NumPy, JAX and PyTorch, in one run.

    python benches/peers/critical.py [path/to/neuropil]

Each does full-batch gradient descent on the same problem (n = 100, m = 2000, single precision, one thread). The time of
a step is the difference of a long and a short run, so that starting, compiling and reading cost nothing. Peers that are
not installed are left out. Both sides print the loss they reached: a fast wrong answer would show.
"""
import json, os, subprocess, sys, tempfile, time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
import numpy as np

N, M, RANK, LR, SCALE = 100, 2000, 5, 0.2, 0.001
SHORT, LONG, ROUNDS = 500, 4500, 3
ours = sys.argv[1] if len(sys.argv) > 1 else "target/release/neuropil"

rng = np.random.default_rng(1)
truth = rng.standard_normal((N, RANK)) @ rng.standard_normal((RANK, N))
truth = (truth * N / np.linalg.norm(truth)).astype(np.float32)
seen = rng.choice(N * N, M, replace=False)
mask = np.zeros(N * N, np.float32)
mask[seen] = 1
mask = mask.reshape(N, N)


def start(depth):
    sd = SCALE ** (1 / depth) / N**0.5
    r = np.random.default_rng(depth)
    return [(sd * r.standard_normal((N, N))).astype(np.float32) for _ in range(depth)]


def neuropil(depth, steps):
    """Processor seconds of the whole program, and its error on the observed entries."""
    with tempfile.TemporaryDirectory() as out:
        keys = dict(size=N, observed=M, rank=RANK, depths=f"[{depth}]", switches="[0]", after=steps, lr=LR,
                    init_scale=SCALE, track_every=10**9)
        args = [ours, "run", "critical-periods", "--quick", "--json", "--threads", "1", "--out", out,
                "--set", "task=completion", "--set", "replicates=1"]
        for k, v in keys.items():
            args += ["--set", f"completion.{k}={v}"]
        done = subprocess.run(args, capture_output=True, text=True)
        if done.returncode not in (0, 1):
            sys.exit(done.stderr)
        report = json.loads(done.stdout)
        table = next(t for t in report["tables"] if t["name"] == "final_errors")
        return report["cpu_s"], float(table["rows"][0][table["columns"].index("train error")])


def by_numpy(depth, steps):
    w = start(depth)
    began = time.process_time()
    for _ in range(steps):
        p = [w[0]]
        for x in w[1:]:
            p.append(p[-1] @ x)
        t = mask * (p[-1] - truth) / M
        for l in range(depth - 1, -1, -1):
            g = p[l - 1].T @ t if l else t
            t = t @ w[l].T if l else t
            w[l] -= np.float32(LR) * g
    seconds = time.process_time() - began
    residual = mask * ((np.linalg.multi_dot(w) if depth > 1 else w[0]) - truth)
    return seconds, float(np.sum(residual**2)) / M


def by_jax(depth, steps):
    import jax, jax.numpy as jnp

    def chain(w):
        p = w[0]
        for x in w[1:]:
            p = p @ x
        return p

    def loss(w):
        return jnp.sum(jnp.square(mask * (chain(w) - truth))) / (2 * M)

    @jax.jit
    def descend(w, n):
        return jax.lax.fori_loop(0, n, lambda _, w: [x - LR * g for x, g in zip(w, jax.grad(loss)(w))], w)

    w = [jnp.asarray(x) for x in start(depth)]
    jax.block_until_ready(descend(w, 2))
    began = time.process_time()
    w = jax.block_until_ready(descend(w, steps))
    return time.process_time() - began, 2 * float(loss(w))


def by_torch(depth, steps):
    import torch

    torch.set_num_threads(1)
    w = [torch.tensor(x, requires_grad=True) for x in start(depth)]
    k, y = torch.tensor(mask), torch.tensor(truth)
    optimiser = torch.optim.SGD(w, lr=LR)

    def loss():
        p = w[0]
        for x in w[1:]:
            p = p @ x
        return torch.sum(torch.square(k * (p - y))) / (2 * M)

    began = time.process_time()
    for _ in range(steps):
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()
    return time.process_time() - began, 2 * float(loss())


peers = {"numpy": by_numpy, "jax": by_jax, "torch": by_torch}
for name in list(peers):
    try:
        __import__(name)
    except ImportError:
        print(f"{name} is not installed, left out")
        del peers[name]

for depth in (2, 3):
    best, error = {}, {}
    for _ in range(ROUNDS):
        for name, run in [("neuropil", neuropil), *peers.items()]:
            short, _ = run(depth, SHORT)
            long, error[name] = run(depth, LONG)
            best[name] = min(best.get(name, 1e9), (long - short) / (LONG - SHORT))
    products = 3 * (depth - 1)
    for name, seconds in best.items():
        gflops = products * 2 * N**3 / seconds / 1e9
        print(f"depth {depth}  {name:9s} {1e6 * seconds:8.1f} us/step  {gflops:6.1f} Gflop/s  "
              f"ratio {seconds / best['neuropil']:5.2f}  train error after {LONG}: {error[name]:.3f}")
