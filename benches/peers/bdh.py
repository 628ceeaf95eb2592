"""The Dragon Hatchling beside the same model in PyTorch and JAX: training step and generation, in turn, in one go.

    python benches/peers/bdh.py [--rounds 5] [--threads 2]

Builds and runs the example `bench_bdh`. A peer that is not installed is left out
(`pip install torch numpy`, `pip install jax numpy` in a scratch environment). Model S: D = 64, H = 4, n = 1,024, L = 4,
float32, batch 8, context 128; AdamW with weight decay. Generation: 512 tokens from one; the reference recomputes its prefix for
every token, ours is recurrent. Every figure is the median over all rounds, with the quartiles; a ratio above 1 means that
Neuropil is faster.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

V, D, H, n, L, T, B, TOKENS = 256, 64, 4, 1024, 4, 128, 8, 512
N = n // H
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def torch_peer(repeats, threads):
    import math
    import torch
    import torch.nn.functional as F
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    E, Ev = (torch.nn.Parameter(0.02 * torch.randn(H, D, N)) for _ in range(2))
    Dc, embed, head = (torch.nn.Parameter(0.02 * torch.randn(*s)) for s in ((n, D), (V, D), (D, V)))
    parameters = [E, Ev, Dc, embed, head]
    freq = 65536.0 ** (-2 * torch.arange(N // 2) / N) / (2 * math.pi)

    def norm(x):
        return F.layer_norm(x, (D,))

    def forward(tok):
        b, t = tok.shape
        phase = (torch.arange(t)[:, None] * freq % 1) * 2 * math.pi
        cos, sin = phase.cos(), phase.sin()
        x = norm(embed[tok])[:, None]
        for _ in range(L):
            xs = F.relu(x @ E)
            even, odd = xs[..., ::2], xs[..., 1::2]
            q = torch.stack((even * cos - odd * sin, odd * cos + even * sin), -1).flatten(-2)
            a = (q @ q.mT).tril(-1) @ x
            ys = F.relu(norm(a) @ Ev)
            z = (xs * ys).transpose(1, 2).reshape(b, 1, t, n)
            x = norm(x + norm(z @ Dc))
        return x[:, 0] @ head

    optimiser = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.1, fused=True)
    tokens = torch.randint(0, V, (B, T + 1))
    times = []
    for i in range(repeats + 3):
        start = time.perf_counter()
        loss = F.cross_entropy(forward(tokens[:, :-1]).reshape(-1, V), tokens[:, 1:].reshape(-1))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        if i >= 3:
            times.append((time.perf_counter() - start) * 1e3)
    speeds = []
    with torch.no_grad():
        for i in range(3):
            text = tokens[:1, :1]
            start = time.perf_counter()
            for _ in range(TOKENS):
                top, ids = forward(text)[:, -1].topk(3)
                text = torch.cat((text, ids.gather(1, torch.multinomial(top.softmax(-1), 1))), 1)
            if i:
                speeds.append(TOKENS / (time.perf_counter() - start))
    return {"name": f"PyTorch {torch.__version__}", "train_ms": times, "generate_tokens_per_s": speeds}


def jax_peer(repeats, threads):
    os.environ["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen=true intra_op_parallelism_threads={threads}"
    import numpy as np
    import jax
    import jax.numpy as jnp
    rng = np.random.default_rng(1)
    w = {k: jnp.asarray(0.02 * rng.normal(size=s), jnp.float32) for k, s in
         dict(E=(H, D, N), Ev=(H, D, N), Dc=(n, D), embed=(V, D), head=(D, V)).items()}
    freq = 65536.0 ** (-2 * np.arange(N // 2) / N) / (2 * np.pi)

    def norm(x):
        m = x.mean(-1, keepdims=True)
        return (x - m) / jnp.sqrt(((x - m) ** 2).mean(-1, keepdims=True) + 1e-5)

    def forward(w, tok):
        b, t = tok.shape
        phase = jnp.asarray((np.arange(t)[:, None] * freq % 1) * 2 * np.pi, jnp.float32)
        cos, sin = jnp.cos(phase), jnp.sin(phase)
        x = norm(w["embed"][tok])[:, None]
        for _ in range(L):
            xs = jax.nn.relu(x @ w["E"])
            even, odd = xs[..., ::2], xs[..., 1::2]
            q = jnp.stack((even * cos - odd * sin, odd * cos + even * sin), -1).reshape(xs.shape)
            a = jnp.tril(q @ q.swapaxes(-1, -2), -1) @ x
            ys = jax.nn.relu(norm(a) @ w["Ev"])
            z = (xs * ys).transpose(0, 2, 1, 3).reshape(b, 1, t, n)
            x = norm(x + norm(z @ w["Dc"]))
        return x[:, 0] @ w["head"]

    def loss(w, x, y):
        logp = jax.nn.log_softmax(forward(w, x))
        return -jnp.mean(jnp.take_along_axis(logp, y[..., None], -1))

    @jax.jit
    def step(w, m, v, i, x, y):
        value, g = jax.value_and_grad(loss)(w, x, y)
        length = jnp.sqrt(sum(jnp.sum(a * a) for a in g.values()))
        g = {k: a * jnp.minimum(1.0, 1.0 / length) for k, a in g.items()}
        m = {k: 0.9 * m[k] + 0.1 * g[k] for k in g}
        v = {k: 0.999 * v[k] + 0.001 * g[k] ** 2 for k in g}
        w = {k: w[k] * (1 - 1e-4) - 1e-3 * (m[k] / (1 - 0.9 ** i)) / (jnp.sqrt(v[k] / (1 - 0.999 ** i)) + 1e-8) for k in g}
        return w, m, v, value

    tokens = jnp.asarray(rng.integers(0, V, (B, T + 1)))
    m, v = ({k: jnp.zeros_like(a) for k, a in w.items()} for _ in range(2))
    times = []
    for i in range(1, repeats + 4):
        start = time.perf_counter()
        w, m, v, value = step(w, m, v, float(i), tokens[:, :-1], tokens[:, 1:])
        value.block_until_ready()
        if i > 3:
            times.append((time.perf_counter() - start) * 1e3)
    # A prefix that grows would be compiled for every length: the whole window is computed every time, as is usual.
    last = jax.jit(lambda w, text, i: jax.lax.top_k(forward(w, text)[0, i], 3)[1][0])
    speeds = []
    for i in range(3):
        text = jnp.zeros((1, TOKENS), jnp.int32)
        start = time.perf_counter()
        for k in range(TOKENS - 1):
            text = text.at[0, k + 1].set(last(w, text, k))
        text.block_until_ready()
        if i:
            speeds.append((TOKENS - 1) / (time.perf_counter() - start))
    return {"name": f"JAX {jax.__version__}", "train_ms": times, "generate_tokens_per_s": speeds}


def run(command, threads):
    env = {**os.environ, "RAYON_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    out = subprocess.run(command, capture_output=True, text=True, env=env)
    lines = [line for line in out.stdout.splitlines() if line.startswith("{")]
    if not lines:
        print(f"left out: {' '.join(command)}: {(out.stderr.strip().splitlines() or ['no output'])[-1]}", file=sys.stderr)
        return None
    return json.loads(lines[-1])


def quartiles(v):
    q = statistics.quantiles(v, n=4) if len(v) > 1 else [v[0]] * 3
    return q[1], q[0], q[2]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rounds", type=int, default=5, help="each program runs once a round, in turn")
    p.add_argument("--repeats", type=int, default=20, help="training steps a round")
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--torch-python", default=sys.executable, help="interpreter that has PyTorch")
    p.add_argument("--jax-python", default=sys.executable, help="interpreter that has JAX")
    p.add_argument("--bench", help="the built example; default: cargo builds it")
    p.add_argument("--peer", help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.peer:
        print(json.dumps({"torch": torch_peer, "jax": jax_peer}[a.peer](a.repeats, a.threads)))
        return
    if not a.bench:
        build = ["cargo", "build", "--release", "--locked", "--workspace", "--example", "bench_bdh"]
        subprocess.run(build, cwd=ROOT, check=True)
        a.bench = os.path.join(ROOT, "target", "release", "examples", "bench_bdh")
    peer = [os.path.abspath(__file__), "--repeats", str(a.repeats), "--threads", str(a.threads), "--peer"]
    commands = [[a.bench, str(a.repeats)], [a.torch_python, *peer, "torch"], [a.jax_python, *peer, "jax"]]
    results = {}
    for r in range(a.rounds):
        for command in list(commands):
            out = run(command, a.threads)
            if out is None:
                commands.remove(command)
                continue
            entry = results.setdefault(out["name"], {"train_ms": [], "generate_tokens_per_s": []})
            for k, values in entry.items():
                values += out[k]
            print(f"round {r + 1}: {out['name']} done", file=sys.stderr)
    ours = results["neuropil"]
    print(f"{'':24}{'training step, ms':>28}{'ratio':>8}{'tokens/s generated':>30}{'ratio':>8}")
    for name, v in results.items():
        t, g = quartiles(v["train_ms"]), quartiles(v["generate_tokens_per_s"])
        rt, rg = t[0] / quartiles(ours["train_ms"])[0], quartiles(ours["generate_tokens_per_s"])[0] / g[0]
        print(f"{name:24}{t[0]:12.1f} [{t[1]:6.1f}, {t[2]:6.1f}]{rt:8.2f}{g[0]:12.0f} [{g[1]:7.0f}, {g[2]:7.0f}]{rg:8.1f}")
    # Floor: 3 x forward flops at the peak that a large product reaches here is for the reader to compare.
    flops = 3 * L * (6 * n * D + T * n + T * H * D) * B * T + 6 * D * V * B * T
    print(f"arithmetic of one training step: {flops / 1e9:.1f} Gflop; "
          f"Neuropil {flops / 1e6 / quartiles(ours['train_ms'])[0]:.0f} Gflop/s")


if __name__ == "__main__":
    main()
