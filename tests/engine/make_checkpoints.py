"""Writes tests/fixtures/checkpoints: small files of every format that src/engine/io/archive.h reads, each X beside
X.safetensors, which holds what PyTorch reads in it (weights_only=True, dictionaries flattened with dots, without what only
training needs). Files that must be refused have none. Needs torch, safetensors; mindspore for mind.ckpt.

    python make_checkpoints.py ../fixtures/checkpoints
"""
import argparse
import collections
import os
import pickle
import struct
import sys
import zipfile

import torch
from safetensors.torch import load_file, save_file

out = sys.argv[1]
os.makedirs(out, exist_ok=True)
torch.manual_seed(11)


def path(name):
    return os.path.join(out, name)


def flatten(value, prefix, into):
    if isinstance(value, torch.Tensor):
        into[prefix or "tensor"] = value.detach().clone().contiguous()
    elif isinstance(value, dict):
        for key, item in value.items():
            if isinstance(key, (str, int)) and not (prefix == "" and key in ("optimizer", "lr_schedulers")):
                flatten(item, (prefix + "." if prefix else "") + str(key), into)
    elif isinstance(value, (list, tuple)):
        for key, item in enumerate(value):
            flatten(item, (prefix + "." if prefix else "") + str(key), into)
    return into


def save(name, value, **how):
    torch.save(value, path(name), **how)
    expect(name, name)


def expect(name, of):
    with torch.serialization.safe_globals([argparse.Namespace]):
        value = torch.load(path(of), weights_only=True)
    save_file(flatten(value, "", {}), path(name + ".safetensors"))


def repack(name, of, change):
    """The archive `of` written again by zipfile, with zip64 fields; change(name in the archive, bytes) -> bytes."""
    with zipfile.ZipFile(path(of)) as source, zipfile.ZipFile(path(name), "w") as target:
        for info in source.infolist():
            with target.open(info.filename, "w", force_zip64=True) as f:
                f.write(change(info.filename, source.read(info)))


x = torch.arange(24, dtype=torch.float32).reshape(4, 6) / 7 - 1
types = collections.OrderedDict(
    (str(t)[6:], (torch.arange(5) * 3 - 6).to(t))
    for t in (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16,
              torch.int8, torch.uint8, torch.bool, torch.uint16, torch.uint32, torch.complex64))
types["scalar"] = torch.tensor(2.5)
types["whole"] = torch.tensor(-7)
types["empty"] = torch.zeros(0, 3)
types["special"] = torch.tensor([float("inf"), -float("inf"), float("nan"), -0.0, 1e-40])
types["half"] = torch.tensor([65504.0, 6e-8, -2.0 ** -14, float("inf")], dtype=torch.float16)
save("types.pt", types)
views = {"all": x, "turned": x.t(), "part": x[1:3, 2:5], "steps": x[::2, ::3], "row": x[3], "tied": x,
         "spread": x[0, 1].expand(2, 3), "cube": x.reshape(2, 3, 4).permute(2, 0, 1)}
save("views.pt", views)
save("legacy.pt", {**views, "int": torch.arange(3), "half": x.half()}, _use_new_zipfile_serialization=False)
adam = torch.optim.Adam([torch.nn.Parameter(x.clone())])
adam.param_groups[0]["params"][0].grad = x
adam.step()
save("nested.pt", {"state_dict": {"model.a.weight": torch.nn.Parameter(x), "model.b.bias": x[0].clone()},
                   "optimizer": adam.state_dict(), "lr_schedulers": [{"last": torch.ones(2)}], "epoch": 3,
                   "args": argparse.Namespace(lr=0.1)})
save("list.pt", [{"w": x[:1].clone(), 7: torch.ones(2)}, (torch.zeros(1),)])
save("alone.pt", x[:2].clone())
save("empty.pt", {})
class Module(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Linear(2, 2)
torch.save(Module(), path("module.pt"))
repack("big.pt", "types.pt", lambda name, data: b"big" if name.endswith("byteorder") else data)
sizes = list(types.values())
def turn(name, data):
    if "/data/" in name:
        t = sizes[int(name.rsplit("/", 1)[1])]
        n = 4 if t.dtype == torch.complex64 else t.element_size()
        return b"".join(data[i:i + n][::-1] for i in range(0, len(data), n))
    return b"big" if name.endswith("byteorder") else data
repack("big.pt", "types.pt", turn)
expect("big.pt", "types.pt")
repack("wide.pt", "views.pt", lambda name, data: data)
expect("wide.pt", "views.pt")


class System:
    def __reduce__(self):
        return os.system, ("true",)


torch.save({"w": x, "x": System()}, path("system.pt"))
with open(path("plain.pkl"), "wb") as f:
    pickle.dump({"ENSG1": 3, "<pad>": 0, "ENSG2": 7}, f)


# ---- MindSpore ----
def number(n):
    text = b""
    while n > 127:
        text, n = text + bytes([n & 127 | 128]), n >> 7
    return text + bytes([n])


def field(n, content):
    return number(n << 3 | 2) + number(len(content)) + content


def record(name, dims, kind, content):
    tensor = b"".join(b"\x08" + number(d) for d in dims) + field(2, kind) + field(3, content)
    return field(1, field(1, name) + field(2, tensor))


raw = x.numpy().tobytes()
with open(path("cut.ckpt"), "wb") as f:
    f.write(record(b"gene_emb", [4, 6], b"Float32", raw[:40]) + record(b"gene_emb", [4, 6], b"Float32", raw[40:44]) +
            record(b"gene_emb", [4, 6], b"Float32", raw[44:]) + record(b"moment1.gene_emb", [4, 6], b"Float32", raw) +
            record(b"b", [2], b"Int32", struct.pack("<2i", -1, 9)) + record(b"global_step", [0], b"Int32", b"\x09\0\0\0") +
            record(b"scalar", [0], b"Float32", struct.pack("<f", 0.5)) + b"crc_num" + (1234).to_bytes(10, "big"))
save_file({"gene_emb": x, "b": torch.tensor([-1, 9], dtype=torch.int32), "scalar": torch.tensor(0.5)},
          path("cut.ckpt.safetensors"))

# ---- shards ----
torch.save({"a.weight": x}, path("shard-1.bin"))
torch.save({"b.weight": x[1].clone()}, path("shard-2.bin"))
with open(path("pytorch_model.bin.index.json"), "w") as f:
    f.write('{"metadata": {}, "weight_map": {"a.weight": "shard-1.bin", "b.weight": "shard-2.bin"}}\n')
save_file({"a.weight": x, "b.weight": x[1].clone()}, path("pytorch_model.bin.index.json.safetensors"))

# ---- published folders, from the golden cases: an encoder alone, its norms named in TensorFlow's way ----
case = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../fixtures")
bert = load_file(os.path.join(case, "bert_a/model.safetensors"))
old = {k[5:].replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): v
       for k, v in bert.items() if k.startswith("bert.")}
old["embeddings.position_ids"] = torch.arange(20).reshape(1, 20)
os.makedirs(os.path.join(case, "../../inst/extdata/bert"), exist_ok=True)
torch.save(collections.OrderedDict(old), os.path.join(case, "../../inst/extdata/bert/pytorch_model.bin"))
kcfm = load_file(os.path.join(case, "kcfm_bert_b/model.safetensors"))
torch.save({part: {k[len(part) + 1:]: v for k, v in kcfm.items() if k.startswith(part + ".")}
            for part in ("bert_state", "projection_state")}, os.path.join(case, "kcfm_bert_b/finetune_bert.pth"))

# ---- what mindspore itself writes ----
try:
    import mindspore as ms
    import numpy as np
except ImportError:
    sys.exit("mind.ckpt stays as it is: no mindspore here")
made = {"a.weight": (torch.arange(12).reshape(3, 4).float() / 7, ms.float32), "h": (torch.arange(5).half(), ms.float16),
        "bf": (torch.arange(5).bfloat16(), ms.bfloat16), "i64": (torch.arange(5) - 2, ms.int64),
        "b": (torch.tensor([True, False]), ms.bool_), "s": (torch.tensor(1.5), ms.float32),
        "u8": (torch.arange(3).to(torch.uint8), ms.uint8), "f64": (torch.arange(3).double(), ms.float64)}
training = {"moment1.a.weight": (torch.ones(3, 4), ms.float32), "global_step": (torch.tensor(3.0), ms.int32)}
ms.save_checkpoint([{"name": k, "data": ms.Tensor(np.array(v.float()), t)} for k, (v, t) in {**made, **training}.items()],
                   path("mind.ckpt"), crc_check=True)
save_file({k: v for k, (v, _) in made.items()}, path("mind.ckpt.safetensors"))
