"""Kernels and training steps beside PyTorch and JAX, in turn, in one go.

    python benches/peers/kernels.py [--rounds 3] [--threads 2] [--torch-python PY] [--jax-python PY]

Builds and runs the example `bench_kernels`. PyTorch runs twice: as installed, and with the allocator told to keep its
memory, as ours does. A peer that is not installed is left out. Same shapes, float32, Adam or AdamW; times are medians over
all rounds in milliseconds with the quartiles; a ratio above 1 means that Neuropil is faster than the peer. `floor` is how
many times longer we take than the arithmetic of a row at the rate of the best matrix product of the run, or its traffic
at the rate at which we copy 4M elements. The last lines are the memory that a step adds to its process.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
KEEP = {"MALLOC_MMAP_THRESHOLD_": "4294967295", "MALLOC_TRIM_THRESHOLD_": "17179869184", "MALLOC_TOP_PAD_": "67108864"}
# Floating-point operations (or bytes, for pointwise rows) of one repetition.
CNN = 2 * 64 * (784 * 32 * 9 + 196 * 64 * 288 + 196 * 64 * 576 + 12544 * 10)
LAYER = 2 * 1024 * 12 * 256 * 256 + 4 * 8 * 128 * 128 * 256
FLOPS = {**{f"matmul {n}": 2 * n**3 for n in (512, 1024, 2048)}, "mlp step": 6 * 128 * (784 * 512 + 512 * 512 + 5120),
         "cnn step": 3 * CNN, "u-net block": 3 * 2 * 2 * 32**3 * 16 * 16 * 27,
         "separable block": 3 * 2 * 32 * 784 * 128 * (9 + 128),
         "transformer step": 3 * (4 * LAYER + 2 * 1024 * 256 * 256)}
RESNET = 2 * 32 * 1024 * 64 * 576
FLOPS["resnet block step"] = 3 * 2 * RESNET
MEMORY = ("cnn step", "transformer step")
BYTES = {"copy 4M": 8 << 22, "softmax 4M": 8 << 22, "layer norm 4M": 8 << 22, "tanh 4M": 8 << 22, "gelu 4M": 8 << 22, "exp 4M": 8 << 22, "adamw 10M": 28 * 10**7}


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(repeats, rows, only):
    for name, f in rows.items():
        if only and only not in name:
            continue
        times, before = [], peak_mb()
        for i in range(repeats + 3):
            start = time.perf_counter()
            f()
            if i >= 3:
                times.append((time.perf_counter() - start) * 1e3)
        print(json.dumps({"name": name, "ms": times, "mb": peak_mb() - before}), flush=True)


def torch_peer(repeats, threads, only):
    import torch
    import torch.nn as nn
    import torch.nn.functional as F
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    rows = {}
    for n in (512, 1024, 2048):
        a, b = torch.randn(n, n), torch.randn(n, n)
        rows[f"matmul {n}"] = lambda a=a, b=b: a @ b
    x = torch.randn(1 << 22)
    square, gain, offset = x.view(4096, 1024), torch.randn(1024), torch.randn(1024)
    rows |= {"softmax 4M": lambda: F.softmax(square, -1), "layer norm 4M": lambda: F.layer_norm(square, (1024,), gain, offset)}
    rows |= {"tanh 4M": lambda: torch.tanh(x), "gelu 4M": lambda: F.gelu(x), "exp 4M": lambda: torch.exp(x)}

    def step(net, inputs, labels):
        adam = torch.optim.Adam(net.parameters(), 1e-3, fused=True)

        def run():
            loss = F.cross_entropy(net(inputs), labels)
            adam.zero_grad()
            loss.backward()
            adam.step()
            return loss.item()
        return run

    def gradient(net, inputs):
        def run():
            net.zero_grad()
            net(inputs).mean().backward()
        return run

    labels = torch.randint(0, 10, (128,))
    mlp = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
    rows["mlp step"] = step(mlp, torch.randn(128, 784), labels)
    cnn = nn.Sequential(nn.Conv2d(1, 32, 3, 1, 1), nn.ReLU(), nn.Conv2d(32, 64, 3, 2, 1), nn.ReLU(),
                        nn.Conv2d(64, 64, 3, 1, 1), nn.ReLU(), nn.Flatten(), nn.Linear(64 * 196, 10))
    rows["cnn step"] = step(cnn, torch.randn(64, 1, 28, 28), labels[:64])

    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.c1, self.c2 = nn.Conv2d(64, 64, 3, 1, 1), nn.Conv2d(64, 64, 3, 1, 1)
            self.n1, self.n2 = nn.BatchNorm2d(64), nn.BatchNorm2d(64)

        def forward(self, x):
            return F.relu(self.n2(self.c2(F.relu(self.n1(self.c1(x))))) + x)

    residual, images = Residual(), torch.randn(32, 64, 32, 32)
    residual_adam = torch.optim.Adam(residual.parameters(), 1e-3, fused=True)

    def residual_step():
        residual_adam.zero_grad()
        residual(images).mean().backward()
        residual_adam.step()
    rows["resnet block step"] = residual_step
    block = nn.Sequential(nn.Conv3d(16, 16, 3, 1, 1), nn.ReLU(), nn.Conv3d(16, 16, 3, 1, 1), nn.ReLU())
    rows["u-net block"] = gradient(block, torch.randn(1, 16, 32, 32, 32))
    pair = nn.Sequential(nn.Conv2d(128, 128, 3, 1, 1, groups=128), nn.ReLU(), nn.Conv2d(128, 128, 1), nn.ReLU())
    rows["separable block"] = gradient(pair, torch.randn(32, 128, 28, 28))

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.n1, self.n2 = nn.LayerNorm(256), nn.LayerNorm(256)
            self.qkv, self.out = nn.Linear(256, 768), nn.Linear(256, 256)
            self.up, self.down = nn.Linear(256, 1024), nn.Linear(1024, 256)

        def forward(self, x):
            q, k, v = (t.view(8, 128, 4, 64).transpose(1, 2) for t in self.qkv(self.n1(x)).chunk(3, -1))
            a = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(8, 128, 256)
            x = x + self.out(a)
            return x + self.down(F.gelu(self.up(self.n2(x)), approximate="tanh"))

    class Transformer(nn.Module):
        def __init__(self):
            super().__init__()
            self.token, self.place = nn.Embedding(256, 256), nn.Embedding(128, 256)
            self.blocks, self.norm = nn.Sequential(*[Block() for _ in range(4)]), nn.LayerNorm(256)
            self.head = nn.Linear(256, 256)

        def forward(self, tokens):
            x = self.token(tokens) + self.place(torch.arange(128))
            return self.head(self.norm(self.blocks(x))).reshape(1024, 256)

    rows["transformer step"] = step(Transformer(), torch.randint(0, 256, (8, 128)), torch.randint(0, 256, (1024,)))
    w = nn.Parameter(torch.randn(10_000_000))
    w.grad = torch.randn(10_000_000)
    rows["adamw 10M"] = torch.optim.AdamW([w], 1e-3, weight_decay=0.01, fused=True).step
    measure(repeats, rows, only)


def jax_peer(repeats, threads, only):
    os.environ["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen=true intra_op_parallelism_threads={threads}"
    import jax
    import jax.numpy as jnp
    import numpy as np
    rng = np.random.default_rng(1)

    def normal(*shape):
        return jnp.asarray(rng.standard_normal(shape), jnp.float32)

    def ready(f, *args):
        compiled = jax.jit(f)
        return lambda: jax.block_until_ready(compiled(*args))

    rows = {}
    for n in (512, 1024, 2048):
        rows[f"matmul {n}"] = ready(jnp.matmul, normal(n, n), normal(n, n))
    x = normal(1 << 22)
    square, gain, offset = x.reshape(4096, 1024), normal(1024), normal(1024)

    def layer_norm(v):
        m = v.mean(-1, keepdims=True)
        return (v - m) / jnp.sqrt(((v - m) ** 2).mean(-1, keepdims=True) + 1e-5) * gain + offset
    rows |= {"softmax 4M": ready(jax.nn.softmax, square), "layer norm 4M": ready(layer_norm, square)}
    rows |= {"tanh 4M": ready(jnp.tanh, x), "gelu 4M": ready(lambda v: jax.nn.gelu(v, approximate=False), x),
             "exp 4M": ready(jnp.exp, x)}

    def cross_entropy(logits, labels):
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1))

    def adam(w, m, v, g):
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        return jax.tree.map(lambda w, m, v: w - 1e-3 * m / (jnp.sqrt(v) + 1e-8), w, m, v), m, v

    def step(forward, w, inputs, labels):
        @jax.jit
        def update(w, m, v):
            g = jax.grad(lambda w: cross_entropy(forward(w, inputs), labels))(w)
            return adam(w, m, v, g)
        state = [w, jax.tree.map(jnp.zeros_like, w), jax.tree.map(jnp.zeros_like, w)]

        def run():
            state[:] = jax.block_until_ready(update(*state))
        return run

    def conv(x, w, stride=1, groups=1):
        axes = x.ndim - 2
        return jax.lax.conv_general_dilated(x, w, [stride] * axes, [(w.shape[2] // 2,) * 2] * axes, feature_group_count=groups)

    labels = jnp.asarray(rng.integers(0, 10, 128))
    rows["mlp step"] = step(lambda w, x: jax.nn.relu(jax.nn.relu(x @ w[0]) @ w[1]) @ w[2],
                            [0.03 * normal(784, 512), 0.03 * normal(512, 512), 0.03 * normal(512, 10)], normal(128, 784), labels)

    def cnn(w, x):
        for k, stride in enumerate((1, 2, 1)):
            x = jax.nn.relu(conv(x, w[k], stride))
        return x.reshape(64, -1) @ w[3]
    rows["cnn step"] = step(cnn, [0.1 * normal(32, 1, 3, 3), 0.05 * normal(64, 32, 3, 3), 0.05 * normal(64, 64, 3, 3),
                                  0.01 * normal(12544, 10)], normal(64, 1, 28, 28), labels[:64])

    def batch_norm(x, g, b):
        m = x.mean((0, 2, 3), keepdims=True)
        v = ((x - m) ** 2).mean((0, 2, 3), keepdims=True)
        return (x - m) / jnp.sqrt(v + 1e-5) * g[:, None, None] + b[:, None, None]

    def residual(w, x):
        y = jax.nn.relu(batch_norm(conv(x, w[0]), w[2], w[3]))
        return jnp.mean(jax.nn.relu(batch_norm(conv(y, w[1]), w[4], w[5]) + x))
    images = normal(32, 64, 32, 32)

    @jax.jit
    def residual_update(w, m, v):
        return adam(w, m, v, jax.grad(residual)(w, images))
    w = [0.05 * normal(64, 64, 3, 3), 0.05 * normal(64, 64, 3, 3), jnp.ones(64), jnp.zeros(64), jnp.ones(64), jnp.zeros(64)]
    residual_state = [w, jax.tree.map(jnp.zeros_like, w), jax.tree.map(jnp.zeros_like, w)]

    def residual_step():
        residual_state[:] = jax.block_until_ready(residual_update(*residual_state))
    rows["resnet block step"] = residual_step
    block = lambda w, x: jnp.mean(jax.nn.relu(conv(jax.nn.relu(conv(x, w[0])), w[1])))
    rows["u-net block"] = ready(jax.grad(block), [0.05 * normal(16, 16, 3, 3, 3) for _ in range(2)], normal(1, 16, 32, 32, 32))
    pair = lambda w, x: jnp.mean(jax.nn.relu(conv(jax.nn.relu(conv(x, w[0], groups=128)), w[1])))
    rows["separable block"] = ready(jax.grad(pair), [0.3 * normal(128, 1, 3, 3), 0.1 * normal(128, 128, 1, 1)],
                                    normal(32, 128, 28, 28))

    def norm(x):
        m = x.mean(-1, keepdims=True)
        return (x - m) / jnp.sqrt(((x - m) ** 2).mean(-1, keepdims=True) + 1e-5)

    def transformer(w, tokens):
        x = w["token"][tokens] + w["place"]
        mask = jnp.tril(jnp.ones((128, 128), bool))
        for b in w["blocks"]:
            q, k, v = (t.reshape(8, 128, 4, 64).transpose(0, 2, 1, 3) for t in jnp.split(norm(x) @ b[0], 3, -1))
            p = jax.nn.softmax(jnp.where(mask, q @ k.swapaxes(-1, -2) / 8, -1e30))
            x = x + (p @ v).transpose(0, 2, 1, 3).reshape(8, 128, 256) @ b[1]
            x = x + jax.nn.gelu(norm(x) @ b[2]) @ b[3]
        return (norm(x) @ w["head"]).reshape(1024, 256)
    w = {"token": 0.02 * normal(256, 256), "place": 0.02 * normal(128, 256), "head": 0.02 * normal(256, 256),
         "blocks": [[0.02 * normal(256, 768), 0.02 * normal(256, 256), 0.02 * normal(256, 1024), 0.02 * normal(1024, 256)]
                    for _ in range(4)]}
    rows["transformer step"] = step(transformer, w, jnp.asarray(rng.integers(0, 256, (8, 128))),
                                    jnp.asarray(rng.integers(0, 256, 1024)))
    state, g = [normal(10_000_000), jnp.zeros(10_000_000), jnp.zeros(10_000_000)], normal(10_000_000)
    update = jax.jit(adam, donate_argnums=(0, 1, 2))

    def adamw():
        state[:] = jax.block_until_ready(update(*state, g))
    rows["adamw 10M"] = adamw
    measure(repeats, rows, only)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--repeats", type=int, default=10)
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--torch-python", default=sys.executable)
    p.add_argument("--jax-python", default=sys.executable)
    p.add_argument("--row", default="", help="only rows whose name contains this")
    p.add_argument("--peer", help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.peer:
        {"torch": torch_peer, "jax": jax_peer}[a.peer](a.repeats, a.threads, a.row)
        return
    build = ["cargo", "build", "--release", "--quiet", "--locked", "--workspace", "--examples"]
    subprocess.run(build, cwd=ROOT, check=True)
    bench = os.path.join(ROOT, "target", "release", "examples", "bench_kernels")
    peer = [os.path.abspath(__file__), "--repeats", str(a.repeats), "--threads", str(a.threads), "--peer"]
    who = {"Neuropil": ([bench, str(a.repeats)], {}), "PyTorch": ([a.torch_python, *peer, "torch", "--row"], {}),
           "PyTorch, memory kept": ([a.torch_python, *peer, "torch", "--row"], KEEP),
           "JAX": ([a.jax_python, *peer, "jax", "--row"], {})}

    def run(name, row):
        command, extra = who[name]
        threads = {"RAYON_NUM_THREADS": str(a.threads), "OMP_NUM_THREADS": str(a.threads)}
        # JAX takes every core that it sees.
        cores = sorted(os.sched_getaffinity(0))[: a.threads]
        done = subprocess.run([*command, row], capture_output=True, text=True, env={**os.environ, **threads, **extra},
                              preexec_fn=lambda: os.sched_setaffinity(0, cores))
        if done.returncode:
            print(f"{name}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}", file=sys.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    times = {name: {} for name in who}
    for _ in range(a.rounds):
        for name in who:
            for row in run(name, a.row):
                times[name].setdefault(row["name"], []).extend(row["ms"])
    median = {name: {row: statistics.median(ms) for row, ms in rows.items()} for name, rows in times.items()}
    ours = median["Neuropil"]
    rates = [FLOPS[row] / ms for rows in median.values() for row, ms in rows.items() if row.startswith("matmul")]
    bandwidth = BYTES["copy 4M"] / ours["copy 4M"] if "copy 4M" in ours else None
    print(f"{a.threads} threads, {a.rounds} rounds of {a.repeats}; medians in ms, quartiles; peers with their ratio to us")
    if rates and bandwidth:
        print(f"best matrix product {max(rates) / 1e6:.0f} Gflop/s, copy {bandwidth / 1e6:.0f} GB/s")
    for row, ms in ours.items():
        low, _, high = statistics.quantiles(times["Neuropil"][row], n=4)
        line = f"{row:18s} {ms:8.2f} ({low:.2f}-{high:.2f})"
        for name in list(who)[1:]:
            if row in median[name]:
                line += f"   {name} {median[name][row]:8.2f} ({median[name][row] / ms:5.2f})"
        best = min((median[name][row] for name in list(who)[1:] if row in median[name]), default=None)
        if best:
            line += f"   ours/fastest {ms / best:.2f}"
        if row in FLOPS and rates:
            line += f"   floor {ms / (FLOPS[row] / max(rates)):.2f}"
        elif row in BYTES and bandwidth:
            line += f"   floor {ms / (BYTES[row] / bandwidth):.2f}"
        print(line)
    for row in MEMORY:
        if a.row in row:
            memory = {name: max((r["mb"] for r in run(name, row)), default=float("nan")) for name in who}
            print(f"memory of {row}: " + ", ".join(f"{name} {mb:.0f} MB" for name, mb in memory.items()))


if __name__ == "__main__":
    main()
