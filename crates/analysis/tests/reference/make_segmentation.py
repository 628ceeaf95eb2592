"""Prints the numbers of segmentation_reference.rs: medpy 0.5 and scipy 1.17 on masks that are made from a formula.

    python make_segmentation.py        # needs numpy, scipy, medpy
"""
import numpy as np
from medpy.metric import binary
from scipy import ndimage

shape, spacing = (11, 13, 9), (2.0, 0.8, 1.3)
z, y, x = np.indices(shape)


def blob(a, b, c, r, k):
    """A bumpy ball with some far voxels."""
    d = ((z - a) * 1.3) ** 2 + (y - b) ** 2 + ((x - c) * 1.1) ** 2
    return (d < r * r) | ((z * z * 7 + y * y * 13 + x * x * 5 + z * y * 3 + x * y * k) % 101 < 2)


first, second = blob(5, 6, 4, 3.4, 11), blob(5.5, 7, 4, 3.9, 17)
for name, (p, t) in {"overlap": (first, second), "apart": (blob(3, 3, 3, 2.2, 11), blob(8, 9, 5, 2.6, 17))}.items():
    print(name, int(p.sum()), int(t.sum()), repr(binary.dc(p, t)), repr(binary.sensitivity(p, t)),
          repr(binary.specificity(p, t)), repr(binary.hd95(p, t, spacing)), repr(binary.hd(p, t, spacing)),
          repr(binary.assd(p, t, spacing)))
for rank in (1, 2, 3):
    labels, n = ndimage.label(first, ndimage.generate_binary_structure(3, rank))
    print("components", rank, n, sorted(np.bincount(labels.ravel())[1:].tolist(), reverse=True)[:4])
d = ndimage.distance_transform_edt(~second, sampling=spacing)
print("distance", repr(d.sum()), repr(d.max()), repr(d[0, 0, 0]), repr(d[10, 3, 8]))
grown = ndimage.binary_dilation(first, ndimage.generate_binary_structure(3, 2), iterations=2)
print("dilated", int(grown.sum()))
