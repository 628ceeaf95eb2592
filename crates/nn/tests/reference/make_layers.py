"""Writes layers.safetensors: outputs and gradients of the layers in JAX (jax 0.10, double precision).

    python make_layers.py        # needs jax, numpy, safetensors
"""
import os
import numpy as np
import jax, jax.numpy as jnp
from safetensors.numpy import save_file

jax.config.update("jax_enable_x64", True)
rng = np.random.default_rng(31)
out = {}


def draw(*shape):
    return rng.normal(size=shape) * 0.5


def record(name, f, **inputs):
    """Gradient of sum(f * g) for a fixed g, for every input."""
    keys = list(inputs)
    y = f(**inputs)
    g = draw(*np.shape(y)) if np.ndim(y) else np.float64(1.0)
    grads = jax.grad(lambda a: jnp.sum(f(**a) * g))(inputs)
    out[f"{name}/y"] = np.atleast_1d(np.asarray(y))
    out[f"{name}/g"] = np.atleast_1d(np.asarray(g))
    for k in keys:
        out[f"{name}/{k}"] = inputs[k]
        out[f"{name}/d{k}"] = np.asarray(grads[k])


def norm(x):
    m = x.mean(-1, keepdims=True)
    v = ((x - m) ** 2).mean(-1, keepdims=True)
    return (x - m) / jnp.sqrt(v + 1e-5)


record("linear", lambda x, w, b: x @ w + b, x=draw(5, 4), w=draw(4, 3), b=draw(3))
record("norm", lambda x, w, b: norm(x) * w + b, x=draw(5, 6), w=draw(6), b=draw(6))
record("conv", lambda x, w, b: jax.lax.conv_general_dilated(x, w, (2, 2), ((1, 1), (1, 1))) + b[None, :, None, None],
       x=draw(2, 2, 6, 5), w=draw(3, 2, 3, 3), b=draw(3))


def gru(x, wx, wh, bx, bh):
    h = wh.shape[0]
    def step(s, xt):
        i, u = xt @ wx + bx, s @ wh + bh
        r, z = jax.nn.sigmoid(i[:, :h] + u[:, :h]), jax.nn.sigmoid(i[:, h:2*h] + u[:, h:2*h])
        n = jnp.tanh(i[:, 2*h:] + r * u[:, 2*h:])
        s = (1 - z) * n + z * s
        return s, s
    return jax.lax.scan(step, jnp.zeros((x.shape[0], h)), x.swapaxes(0, 1))[1].swapaxes(0, 1)


def lstm(x, wx, wh, bx, bh):
    h = wh.shape[0]
    def step(s, xt):
        (s, c) = s
        a = xt @ wx + bx + s @ wh + bh
        i, f, g, o = a[:, :h], a[:, h:2*h], a[:, 2*h:3*h], a[:, 3*h:]
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        s = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (s, c), s
    z = jnp.zeros((x.shape[0], h))
    return jax.lax.scan(step, (z, z), x.swapaxes(0, 1))[1].swapaxes(0, 1)


record("gru", gru, x=draw(3, 5, 2), wx=draw(2, 12), wh=draw(4, 12), bx=draw(12), bh=draw(12))
record("lstm", lstm, x=draw(3, 5, 2), wx=draw(2, 16), wh=draw(4, 16), bx=draw(16), bh=draw(16))


def split(x, h):
    b, t, d = x.shape
    return x.reshape(b, t, h, d // h).transpose(0, 2, 1, 3)


def block(x, n1w, n1b, qkvw, qkvb, mixw, mixb, n2w, n2b, upw, upb, downw, downb):
    t, d = x.shape[1:]
    q, k, v = (split(a, 2) for a in jnp.split((norm(x) * n1w + n1b) @ qkvw + qkvb, 3, axis=-1))
    s = q @ k.swapaxes(-1, -2) / np.sqrt(d // 2)
    s = jnp.where(np.tril(np.ones((t, t), bool)), s, -jnp.inf)
    a = (jax.nn.softmax(s, -1) @ v).transpose(0, 2, 1, 3).reshape(x.shape)
    x = x + a @ mixw + mixb
    return x + jax.nn.gelu((norm(x) * n2w + n2b) @ upw + upb, approximate=True) @ downw + downb


d = 4
record("block", block, x=draw(2, 7, d), n1w=1 + draw(d), n1b=draw(d), qkvw=draw(d, 3 * d), qkvb=draw(3 * d),
       mixw=draw(d, d), mixb=draw(d), n2w=1 + draw(d), n2b=draw(d), upw=draw(d, 4 * d), upb=draw(4 * d),
       downw=draw(4 * d, d), downb=draw(d))
targets = np.array([1, 0, 4])
record("cross_entropy", lambda x: -jnp.mean(jax.nn.log_softmax(x)[jnp.arange(3), targets]), x=draw(3, 5))

save_file({k: np.ascontiguousarray(v, dtype=np.float64) for k, v in out.items()},
          os.path.join(os.path.dirname(os.path.abspath(__file__)), "layers.safetensors"))
