"""Writes segmentation.safetensors: the residual U-Net and the losses of nested regions in PyTorch (torch 2.15, double
precision), with gradients by automatic differentiation.

    python make_segmentation.py        # needs torch, numpy, safetensors
"""
import os
import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

torch.manual_seed(48)
torch.set_default_dtype(torch.float64)
out = {}


def unet(name, filters, channels, output, shape, axes, deep):
    p = {}

    def conv(key, i, o, k):
        kernel = [k] * 3 if axes == 3 else [1, k, k]
        p[f"{key}.weight"] = torch.randn(o, i, *kernel) * (2 / (i * np.prod(kernel))) ** 0.5
        p[f"{key}.bias"] = torch.randn(o) * 0.2

    def norm(key, c):
        p[f"{key}.weight"] = 1 + 0.2 * torch.randn(c)
        p[f"{key}.bias"] = 0.2 * torch.randn(c)

    for l, f in enumerate(filters):
        conv(f"context{l+1}.entry", channels if l == 0 else filters[l - 1], f, 3)
        for k in (1, 2):
            norm(f"context{l+1}.norm{k}", f)
            conv(f"context{l+1}.conv{k}", f, f, 3)
    for l in range(len(filters) - 1):
        f = filters[l]
        for part, i, o, k in (("up", filters[l + 1], f, 3), ("mix", 2 * f, 2 * f, 3), ("halve", 2 * f, f, 1)):
            conv(f"localisation{l+1}.{part}", i, o, k)
            norm(f"localisation{l+1}.{part}.norm", o)
    heads = min(deep, len(filters) - 1)
    for l in range(heads):
        conv(f"head{l+1}", filters[l], output, 1)
    for v in p.values():
        v.requires_grad_()
    x = torch.randn(2, channels, *shape, requires_grad=True)

    def run(key, y, stride=1):
        w = p[f"{key}.weight"]
        step = [stride] * 3 if axes == 3 else [1, stride, stride]
        return F.conv3d(y, w, p[f"{key}.bias"], stride=step, padding=[k // 2 for k in w.shape[2:]])

    def normed(key, y):
        return F.leaky_relu(F.instance_norm(y, weight=p[f"{key}.weight"], bias=p[f"{key}.bias"], eps=1e-5), 0.01)

    def up(y):
        return F.interpolate(y, scale_factor=2 if axes == 3 else (1, 2, 2), mode="nearest")

    y, contexts = x, []
    for l in range(len(filters)):
        name_l = f"context{l+1}"
        entry = run(f"{name_l}.entry", y, 1 if l == 0 else 2)
        inner = run(f"{name_l}.conv1", normed(f"{name_l}.norm1", entry))
        y = entry + run(f"{name_l}.conv2", normed(f"{name_l}.norm2", inner))
        contexts.append(y)
    contexts.pop()
    total = None
    for l in reversed(range(len(filters) - 1)):
        key = f"localisation{l+1}"
        unit = lambda part, y: normed(f"{key}.{part}.norm", run(f"{key}.{part}", y))
        y = unit("halve", unit("mix", torch.cat([contexts.pop(), unit("up", up(y))], 1)))
        if l < heads:
            z = run(f"head{l+1}", y)
            total = z if total is None else up(total) + z
    g = torch.randn_like(total)
    (total * g).sum().backward()
    out[f"{name}/x"], out[f"{name}/dx"] = x.detach().numpy(), x.grad.numpy()
    out[f"{name}/y"], out[f"{name}/g"] = total.detach().numpy(), g.numpy()
    for k, v in p.items():
        out[f"{name}/{k}"], out[f"{name}/d{k}"] = v.detach().numpy(), v.grad.numpy()


unet("three", [2, 3, 4], 2, 2, (8, 4, 12), 3, 3)
unet("two", [2, 3], 1, 1, (1, 6, 4), 2, 1)


def losses(name, z, p, voxel, y, levels):
    """`p`: probabilities of regions [n, levels, v]; `voxel`: cross-entropy of each voxel [n, v]."""
    g = torch.stack([(y >= m).double() for m in range(1, levels + 1)], 1)
    axes = (0, 2)
    dice = 1 - ((2 * (p * g).sum(axes) + 1) / (p.sum(axes) + g.sum(axes) + 1)).mean()
    freq = torch.bincount(y.flatten(), minlength=levels + 1) / y.numel()
    w = (1 / ((levels + 1) * freq)).clamp(max=10)[y]
    for key, loss in (("mce", voxel.mean()), ("nce", (w * voxel).mean()), ("dice", dice),
                      ("mce_dice", voxel.mean() + dice), ("nce_dice", (w * voxel).mean() + dice)):
        (grad,) = torch.autograd.grad(loss, z, retain_graph=True)
        out[f"{name}/{key}"] = np.atleast_1d(loss.detach().numpy())
        out[f"{name}/d{key}"] = grad.numpy()
    out[f"{name}/z"] = z.detach().numpy()


y = torch.randint(0, 4, (2, 30))
y[:, :18] = 0
y[0, 20], y[1, 20:] = 3, 1
out["targets"] = y.numpy().astype(np.uint16)
g = torch.stack([(y >= m).double() for m in (1, 2, 3)], 1)
z = (0.8 * torch.randn(2, 1, 30)).requires_grad_()
u = 6 * (z - torch.tensor([-0.5, 0.0, 0.5])[None, :, None])
losses("multi_level", z, torch.sigmoid(u), F.binary_cross_entropy_with_logits(u, g, reduction="none").sum(1), y, 3)
z = (2 * torch.randn(2, 4, 30)).requires_grad_()
p = torch.softmax(z, 1)
regions = torch.stack([p[:, m:].sum(1) for m in (1, 2, 3)], 1)
losses("softmax", z, regions, F.cross_entropy(z, y, reduction="none"), y, 3)
z = (2 * torch.randn(2, 3, 30)).requires_grad_()
losses("sigmoids", z, torch.sigmoid(z), F.binary_cross_entropy_with_logits(z, g, reduction="none").sum(1), y, 3)

here = os.path.dirname(os.path.abspath(__file__))
save_file({k: np.ascontiguousarray(v) for k, v in out.items()}, os.path.join(here, "segmentation.safetensors"))
