"""Writes the small files of tests/corpus with the reference implementations of their formats, and
tests/reference/expected.json with what those implementations read back.

    python3 -m venv venv && venv/bin/pip install numpy==2.4.6 scipy nibabel pillow networkx safetensors
    venv/bin/python make_corpus.py

Folders are named after the fuzz targets. `ok_*` must be read, `bad_*` must be refused, nothing may panic.
"""

import gzip, io, json, pathlib, struct, tarfile, zipfile

import nibabel as nib
import networkx as nx
import numpy as np
import scipy.io.wavfile
import scipy.sparse
from PIL import Image
from safetensors.numpy import save as save_safetensors

here = pathlib.Path(__file__).parent
corpus = here.parent / "corpus"
expected = {}


def put(target, name, data, value=None):
    folder = corpus / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    if value is not None:
        a = np.asarray(value)
        expected[f"{target}/{name}"] = {"shape": list(a.shape), "values": [float(v) for v in a.astype("f8").ravel()]}


def npy(a, **k):
    b = io.BytesIO()
    np.save(b, a, **k)
    return b.getvalue()


def npy_raw(header, data=b"", version=(1, 0)):
    h = header.encode("latin1")
    n = struct.pack("<H" if version[0] == 1 else "<I", len(h))
    return b"\x93NUMPY" + bytes(version) + n + h + data


# --- .npy
rng = np.random.default_rng(1)
for dt in ["?", "u1", "i1", "<u2", ">i2", "<u4", ">i4", "<u8", "<i8", "<f2", "<f4", ">f4", "<f8", ">f8"]:
    a = (rng.normal(size=(2, 3)) * 10).astype(dt)
    put("npy", f"ok_{dt.strip('<>?') or 'b1'}{'_big' if dt[0] == '>' else ''}.npy", npy(a), a)
a = np.arange(24, dtype="f4").reshape(2, 3, 4)
put("npy", "ok_fortran.npy", npy(np.asfortranarray(a)), a)
put("npy", "ok_scalar.npy", npy(np.float64(2.5)), np.float64(2.5))
put("npy", "ok_empty.npy", npy(np.zeros((0, 3))))
put("npy", "ok_strings.npy", npy(np.array(["AVAL", "é", ""])))
put("npy", "ok_bytes.npy", npy(np.array([b"AVAL", b"x"])))
put("npy", "ok_version2.npy", npy_raw("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }\n", b"\0\0\x80?", (2, 0)), np.array([1.0]))
put("npy", "bad_object.npy", npy(np.array([{}], dtype=object), allow_pickle=True))
put("npy", "bad_structured.npy", npy(np.zeros(2, dtype=[("a", "f4"), ("b", "i4")])))
put("npy", "bad_complex.npy", npy(np.zeros(2, dtype="c16")))
put("npy", "bad_truncated.npy", npy(np.arange(9.0))[:-1])
put("npy", "bad_shape_overflow.npy", npy_raw("{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296), }\n", bytes(64)))
put("npy", "bad_shape_huge.npy", npy_raw("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999,), }\n", bytes(64)))
put("npy", "bad_shape_negative.npy", npy_raw("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }\n", bytes(64)))
put("npy", "bad_width_huge.npy", npy_raw("{'descr': '<U9999999999999999999', 'fortran_order': False, 'shape': (1,), }\n", bytes(64)))
put("npy", "bad_header_length.npy", b"\x93NUMPY\x02\0\xff\xff\xff\xff{")
put("npy", "bad_descr_not_ascii.npy", npy_raw("{'descr': 'é', 'fortran_order': False, 'shape': (1,)}\n", bytes(8)))

# --- .npz
b = io.BytesIO(); np.savez(b, activity=np.arange(6.0).reshape(2, 3), names=np.array(["a", "b"]), rate_hz=10.0)
put("npz", "ok_recording.npz", b.getvalue())
b = io.BytesIO(); np.savez_compressed(b, x=np.zeros((4, 4), "u1"), y=np.arange(4))
put("npz", "ok_compressed.npz", b.getvalue())
b = io.BytesIO(); scipy.sparse.save_npz(b, scipy.sparse.csr_matrix(np.array([[0, 2.0, 0], [0, 0, -1], [3, 0, 0]])))
put("npz", "ok_sparse.npz", b.getvalue())
put("npz", "bad_truncated.npz", b.getvalue()[:-30])
b = io.BytesIO()
with zipfile.ZipFile(b, "w", zipfile.ZIP_DEFLATED) as z:
    z.writestr("a.npy", "not an array")
put("npz", "bad_member.npz", b.getvalue())

# --- archives
def zipped(files, method=zipfile.ZIP_DEFLATED):
    b = io.BytesIO()
    with zipfile.ZipFile(b, "w", method) as z:
        for n, d in files:
            z.writestr(n, d)
    return b.getvalue()

def tarred(files, link=None):
    b = io.BytesIO()
    with tarfile.open(fileobj=b, mode="w", format=tarfile.PAX_FORMAT) as t:
        for n, d in files:
            i = tarfile.TarInfo(n); i.size = len(d); t.addfile(i, io.BytesIO(d))
        if link:
            i = tarfile.TarInfo("link"); i.type = tarfile.SYMTYPE; i.linkname = link; t.addfile(i)
    return b.getvalue()

put("archive", "ok_two.zip", zipped([("a/x.txt", b"one"), ("b/y.txt", b"two")]))
put("archive", "ok_stored.zip", zipped([("a.txt", b"one")], zipfile.ZIP_STORED))
put("archive", "ok_two.tar", tarred([("a/x.txt", b"one"), ("b/" + "y" * 150 + ".txt", b"two")], link="/etc/passwd"))
put("archive", "ok_gzip.gz", gzip.compress(b"hello " * 20, mtime=0))
put("archive", "bad_climb.zip", zipped([("../../evil", b"x")]))
put("archive", "bad_absolute.tar", tarred([("/etc/evil", b"x")]))
put("archive", "bad_bomb.zip", zipped([("zeros", bytes(40 << 20))]))
put("archive", "bad_bomb.gz", gzip.compress(bytes(40 << 20), mtime=0))
z = bytearray(zipped([("a", b"x" * 100)])); i = z.rfind(b"PK\x01\x02"); z[i + 24:i + 28] = b"\xff\xff\xff\x7f"
put("archive", "edge_size_lies.zip", bytes(z))
z = bytearray(zipped([("a", b"x")])); i = z.rfind(b"PK\x05\x06"); z[i + 8:i + 12] = b"\xff\xff\xff\xff"
put("archive", "edge_count_lies.zip", bytes(z))
t = bytearray(tarred([("a", b"xyz")])); t[124:136] = b"77777777777\0"; t[148:156] = b"        "
t[148:156] = b"%06o\0 " % sum(t[:512])
put("archive", "bad_size_lies.tar", bytes(t))

# --- IDX
def idx(code, shape, data):
    return bytes([0, 0, code, len(shape)]) + b"".join(struct.pack(">I", d) for d in shape) + data

for code, dt in [(8, "u1"), (9, "i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8")]:
    a = (rng.normal(size=(2, 3, 2)) * 10).astype(dt)
    put("idx", f"ok_{dt.strip('>')}.idx", idx(code, a.shape, a.tobytes()), a)
put("idx", "bad_truncated.idx", idx(8, (2, 3), bytes(5)))
put("idx", "bad_overflow.idx", idx(14, (0xFFFFFFFF,) * 4, bytes(16)))
put("idx", "bad_type.idx", idx(10, (1,), bytes(1)))
put("idx", "bad_axes.idx", bytes([0, 0, 8, 255]))

# --- NIfTI
affine = np.array([[-2.0, 0, 0, 90], [0, 1.5, 0.1, -126], [0, -0.1, 3, -72], [0, 0, 0, 1]])
for kind, cls in [("1", nib.Nifti1Image), ("2", nib.Nifti2Image)]:
    for dt in ["u1", "<i2", ">i2", "<f4", "<f8", "<i4"]:
        a = (rng.normal(size=(4, 3, 2)) * 20).astype(dt)
        header = cls.header_class(endianness=">" if dt[0] == ">" else "<")
        header.set_data_dtype(a.dtype)
        image = cls(a, affine, header)
        image.header.set_xyzt_units("mm", "sec")
        image.header.set_slope_inter(2.0, -1.0) if dt == "<i2" else None
        data = image.to_bytes()
        back = cls.from_bytes(data)
        # Axes i, j, k of nibabel are width, height, depth: reversed they are C order.
        put("nifti", f"ok_{kind}_{dt.strip('<>')}{'_big' if dt[0] == '>' else ''}.nii", data, back.get_fdata().transpose(2, 1, 0)[None])
        expected[f"nifti/ok_{kind}_{dt.strip('<>')}{'_big' if dt[0] == '>' else ''}.nii"]["affine"] = back.affine.ravel().tolist()
a = (rng.normal(size=(3, 2, 2, 4)) * 20).astype("<i2")
image = nib.Nifti1Image(a, None)
image.set_qform(np.array([[0, -2.0, 0, 5], [1.5, 0, 0, -6], [0, 0, -3, 7], [0, 0, 0, 1]]), code=1)
image.set_sform(None, code=0)
image.header["pixdim"][4] = 2500
image.header.set_xyzt_units("mm", "msec")
data = image.to_bytes()
back = nib.Nifti1Image.from_bytes(data)
put("nifti", "ok_1_qform_4d.nii", data, back.get_fdata().transpose(3, 2, 1, 0))
expected["nifti/ok_1_qform_4d.nii"]["affine"] = back.affine.ravel().tolist()
expected["nifti/ok_1_qform_4d.nii"]["repetition_s"] = 2.5
put("nifti", "bad_truncated.nii", data[:-1])
put("nifti", "bad_header_only.nii", data[:340])
h = bytearray(data); h[42:50] = struct.pack("<4h", 32767, 32767, 32767, 32767)
put("nifti", "bad_shape.nii", bytes(h))
h = bytearray(data); h[40:42] = struct.pack("<h", 99)
put("nifti", "bad_axes.nii", bytes(h))
h = bytearray(data); h[42:44] = struct.pack("<h", -3)
put("nifti", "bad_negative.nii", bytes(h))
h = bytearray(data); h[108:112] = struct.pack("<f", float("nan"))
put("nifti", "bad_offset.nii", bytes(h))
h = bytearray(data); h[70:72] = struct.pack("<h", 128)
put("nifti", "bad_rgb.nii", bytes(h))
h = bytearray(data); h[344:348] = b"ni1\0"
put("nifti", "bad_pair.nii", bytes(h))
h = bytearray(data); h[76:108] = struct.pack("<8f", *[float("nan")] * 8); h[256:268] = struct.pack("<3f", 9, float("inf"), 9)
put("nifti", "edge_nan_geometry.nii", bytes(h))

# --- PNG
def png(a, mode=None, **k):
    b = io.BytesIO()
    im = Image.fromarray(a)
    if mode:
        im = im.convert(mode)
    im.save(b, "PNG", **k)
    return b.getvalue()

g = rng.integers(0, 256, (3, 4), dtype="u1")
c = rng.integers(0, 256, (3, 4, 3), dtype="u1")
put("png", "ok_gray.png", png(g), g[None])
put("png", "ok_rgb.png", png(c), c.transpose(2, 0, 1))
put("png", "ok_rgba.png", png(np.dstack([c, g])), c.transpose(2, 0, 1))
put("png", "ok_palette.png", png(c, "P"), np.asarray(Image.open(io.BytesIO(png(c, "P"))).convert("RGB")).transpose(2, 0, 1))
put("png", "ok_bits.png", png((g > 128), None), ((g > 128) * 255)[None])
g16 = rng.integers(0, 65536, (3, 4)).astype("u2")
put("png", "ok_gray16.png", png(g16), g16[None])
p = png(c)
put("png", "bad_truncated.png", p[:-20])
h = bytearray(p); h[16:24] = b"\x7f\xff\xff\xff" * 2
put("png", "bad_size.png", bytes(h))
h = bytearray(p); h[45] ^= 255
put("png", "bad_checksum.png", bytes(h))

# --- WAV
def wav(a, hz=8000):
    b = io.BytesIO(); scipy.io.wavfile.write(b, hz, a); return b.getvalue()

s = (rng.normal(size=(5, 2)) * 3000).astype("<i2")
put("wav", "ok_int16.wav", wav(s), s.T / 32768)
f = rng.normal(size=6).astype("<f4")
put("wav", "ok_float32.wav", wav(f), f[None])
u = rng.integers(0, 256, 6, dtype="u1")
put("wav", "ok_uint8.wav", wav(u), (u.astype(float) - 128)[None] / 128)
i = (rng.normal(size=4) * 1e8).astype("<i4")
put("wav", "ok_int32.wav", wav(i), i[None].astype("f8") / 2**31)
w = wav(s)
put("wav", "bad_truncated.wav", w[:-3])
h = bytearray(w); h[40:44] = b"\xff\xff\xff\x7f"
put("wav", "bad_length.wav", bytes(h))
h = bytearray(w); h[22:24] = b"\0\0"
put("wav", "bad_no_channels.wav", bytes(h))
h = bytearray(w); h[34:36] = b"\xff\xff"
put("wav", "bad_bits.wav", bytes(h))

# --- safetensors
put("safetensors", "ok_plain.safetensors", save_safetensors({"w": np.arange(6, dtype="f4").reshape(2, 3), "b": np.arange(2, dtype="i8")}, {"note": "x"}))
def st(header, data=b""):
    h = (header if isinstance(header, str) else json.dumps(header)).encode()
    return struct.pack("<Q", len(h)) + h + data
t = lambda shape, a, z, dt="F32": {"dtype": dt, "shape": shape, "data_offsets": [a, z]}
note = lambda kind, meta, order=(): {"neuropil": json.dumps({"kind": kind, "version": 1, "order": list(order), "meta": meta})}
put("safetensors", "bad_length.safetensors", struct.pack("<Q", 1 << 60) + b"{}")
put("safetensors", "bad_overlap.safetensors", st({"a": t([2], 0, 8), "b": t([2], 4, 12)}, bytes(12)))
put("safetensors", "bad_beyond.safetensors", st({"a": t([1 << 40], 0, 1 << 42)}, bytes(8)))
put("safetensors", "bad_json.safetensors", st("{\"a\":", bytes(8)))
put("safetensors", "edge_units_lie.safetensors", st({"__metadata__": note("recording", {"activity_kind": "rate", "sampling": {"rate": {"hz": 1.0, "start_s": 0.0}}, "units": [{"name": "a"}] * 3, "trials": [{"start": 9, "stop": 2, "label": ""}]}), "activity": t([1, 2], 0, 8)}, bytes(8)))
put("safetensors", "edge_unit_out_of_range.safetensors", st({"__metadata__": note("spike_trains", {"duration_ms": 1e308, "names": []}), "times_ms": t([1], 0, 8, "F64"), "units": t([1], 8, 12, "U32")}, bytes(8) + b"\xff" * 4))
put("safetensors", "edge_offsets_lie.safetensors", st({"__metadata__": note("connectome", {"units": [{"name": "a"}], "kinds": ["x"]}), "offsets": t([2], 0, 16, "U64"), "targets": t([1], 16, 20, "U32"), "weights": t([1], 20, 24), "delays_ms": t([1], 24, 28), "kinds": t([1], 28, 29, "U8")}, struct.pack("<QQ", 0, 1 << 60) + bytes(13)))
put("safetensors", "edge_volume_no_channels.safetensors", st({"__metadata__": note("volume", {"voxel_mm": [1, 1, 1], "affine": [[0] * 4] * 4}), "values": t([0, 1, 1, 1], 0, 0)}))

# --- CSV
put("csv", "ok_wide.csv", "time_s,AVAL,AVAR\n0,1,2\n0.5,NA,4\n1.0,5,6\n")
put("csv", "ok_semicolon.csv", "a;b\n1;\"x;y\"\n")
put("csv", "ok_edges.csv", "source,target,weight\na,b,2\nb,c,1\n")
put("csv", "ok_spikes.csv", "time_ms,unit\n0.5,0\n1.5,2\n")
put("csv", "ok_blanks.txt", "1 2\n3 4\n")
put("csv", "bad_ragged.csv", "a,b\n1,2\n3\n")
put("csv", "bad_header_only.csv", "a,b\n")
put("csv", "bad_latin1.csv", b"a,b\n\xe9,1\n")
put("csv", "edge_quote.csv", "\"a,b\n1,2\n")

# --- JSON
put("json", "ok_rows.json", '[{"text":"a","label":1},{"text":"b"}]')
put("json", "ok_lines.jsonl", '{"text":"a"}\n{"text":"b"}\n')
put("json", "ok_matrix.json", "[[1,2],[3,null]]")
put("json", "bad_deep.json", "[" * 5000)
put("json", "bad_cut.json", '{"a":')
put("json", "edge_surrogate.json", '"\\ud800"')

# --- GraphML
g = nx.DiGraph()
g.add_node("n0", name="AVAL", type="inter"); g.add_node("n1", name="A<&>B")
g.add_edge("n0", "n1", weight=2.5, delay_ms=1.0, kind="chemical"); g.add_edge("n1", "n0", weight=-1.0, delay_ms=0.0, kind="electrical")
put("graphml", "ok_networkx.graphml", "\n".join(nx.generate_graphml(g)))
u = nx.Graph(); u.add_edge("a", "b", weight=3)
put("graphml", "ok_undirected.graphml", "\n".join(nx.generate_graphml(u)))
put("graphml", "bad_bomb.graphml", '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><graphml><graph><node id="n"><data key="name">&b;</data></node></graph></graphml>')
put("graphml", "bad_unknown_node.graphml", '<graphml><graph><node id="a"/><edge source="a" target="z"/></graph></graphml>')
put("graphml", "bad_cut.graphml", '<graphml><graph><node id="a"/>')
put("graphml", "bad_weight.graphml", '<graphml><graph><node id="a"/><edge source="a" target="a"><data key="weight">inf</data></edge></graph></graphml>')

(here / "expected.json").write_text(json.dumps(expected, indent=None, sort_keys=True) + "\n")
