"""Writes bdh.safetensors: loss, logits and gradients of the Dragon Hatchling in JAX, double precision.

    python make_bdh.py           # needs jax, numpy, safetensors

The equations are those of the paper's tensor form: one set of weights for all rounds, strictly causal linear attention
with keys equal to queries, layer norms without gain.
"""
import os
import numpy as np
import jax, jax.numpy as jnp
from safetensors.numpy import save_file

jax.config.update("jax_enable_x64", True)
V, D, H, n, L, T, B = 17, 12, 2, 40, 3, 40, 2
N = n // H
rng = np.random.default_rng(31)
w = {k: 0.2 * rng.normal(size=s) for k, s in
     dict(E=(H, D, N), Ev=(H, D, N), Dc=(n, D), embed=(V, D), head=(D, V)).items()}
tokens, targets = rng.integers(0, V, (B, T)), rng.integers(0, V, (B, T))

freq = 65536.0 ** (-2 * np.arange(N // 2) / N) / (2 * np.pi)
phase = (np.arange(T)[:, None] * freq % 1) * 2 * np.pi
cos, sin = np.cos(phase), np.sin(phase)


def norm(x):
    m = x.mean(-1, keepdims=True)
    return (x - m) / jnp.sqrt(((x - m) ** 2).mean(-1, keepdims=True) + 1e-5)


def rope(v):
    a, b = v[..., ::2], v[..., 1::2]
    return jnp.stack([a * cos - b * sin, b * cos + a * sin], -1).reshape(v.shape)


def forward(w, tok):
    x = norm(w["embed"][tok])[:, None]                      # B 1 T D
    for _ in range(L):
        xs = jax.nn.relu(x @ w["E"])                        # B H T N
        q = rope(xs)
        a = jnp.tril(q @ q.swapaxes(-1, -2), -1) @ x        # B H T D
        ys = jax.nn.relu(norm(a) @ w["Ev"])
        z = (xs * ys).transpose(0, 2, 1, 3).reshape(B, 1, T, n)
        x = norm(x + norm(z @ w["Dc"]))
    return x[:, 0] @ w["head"]


def loss(w):
    logp = jax.nn.log_softmax(forward(w, tokens))
    return -jnp.mean(jnp.take_along_axis(logp, targets[..., None], -1))


value, grads = jax.value_and_grad(loss)(w)
out = {**w, **{"d" + k: np.asarray(g) for k, g in grads.items()}, "loss": np.array([float(value)]),
       "logits": np.asarray(forward(w, tokens))[0], "tokens": tokens.astype(np.float64), "targets": targets.astype(np.float64)}
save_file({k: np.ascontiguousarray(v, dtype=np.float64) for k, v in out.items()},
          os.path.join(os.path.dirname(os.path.abspath(__file__)), "bdh.safetensors"))
