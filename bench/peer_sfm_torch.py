#!/usr/bin/env python3
"""PyTorch peer of the structure model (SFM) for benchmarks.

The model is written from the specification alone, the way a competent PyTorch
user would write it: eager mode, scaled_dot_product_attention without a mask
when nothing is padded, F.rms_norm, boolean gathers, fused AdamW.

  --validate DIR...      compare with the golden values of fixture folders
  --bench infer|train    time one mode; prints one line of JSON
  --write-batch FILE     write the synthetic batch (safetensors)
  --write-package DIR    write weights, config, vocabulary and prior in the
                         published package layout (with case.safetensors, so
                         that DIR is a complete case folder)

Shapes: C cells, G gene tokens, L = G + 1 (prefix first), D width, M factors.
"""
import argparse
import csv
import json
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

F32_EPS = 1.1920928955078125e-07


def _threads_from_argv(argv):
    """OpenMP and MKL read their thread count once, before torch is imported."""
    for i, a in enumerate(argv):
        if a == "--threads" and i + 1 < len(argv):
            return argv[i + 1]
        if a.startswith("--threads="):
            return a.split("=", 1)[1]
    return "2"


def _mkl_as_intel():
    """Start again with a preloaded mkl_serv_intel_cpu_true() that says yes.

    MKL (inside torch's wheel) uses its AVX2 kernels on AMD processors that have AVX-512; this gives the peer the
    kernels that it would get on an Intel processor. Must happen before the process loads torch.
    """
    if os.environ.get("CW_PEER_MKL_AS_INTEL"):
        return
    folder = tempfile.mkdtemp(prefix="cw-peer-")
    source, library = os.path.join(folder, "intel.c"), os.path.join(folder, "libintel.so")
    with open(source, "w") as f:
        f.write("int mkl_serv_intel_cpu_true(void) { return 1; }\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    os.environ["CW_PEER_MKL_AS_INTEL"] = folder
    os.environ["LD_PRELOAD"] = " ".join(x for x in (library, os.environ.get("LD_PRELOAD")) if x)
    os.execv(sys.executable, [sys.executable] + sys.argv)


for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = _threads_from_argv(sys.argv)
if __name__ == "__main__" and "--mkl-as-intel" in sys.argv:
    _mkl_as_intel()
    shutil.rmtree(os.environ.pop("CW_PEER_MKL_AS_INTEL"), ignore_errors=True)  # loaded by now
    os.environ.pop("LD_PRELOAD")

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torch.nn as nn  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from safetensors import safe_open  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

# ---------------------------------------------------------------- the model


def mlp(n_in, n_hidden, n_out, dropout=0.0):
    return nn.Sequential(
        nn.Linear(n_in, n_hidden), nn.SiLU(), nn.Dropout(dropout), nn.Linear(n_hidden, n_out)
    )


class RMSNorm(nn.Module):
    def __init__(self, dim, eps=F32_EPS):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x):
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


def prototype_weights(h, prototypes, tau):
    """softmax(-||h - proto||^2 / tau); h (..., H), prototypes (B, H) -> (..., B).

    ||h||^2 is the same for every prototype of a row, so softmax cancels it.
    """
    score = 2.0 * (h @ prototypes.t()) - prototypes.square().sum(-1)
    return F.softmax(score / tau, dim=-1)


class ScalarEncoder(nn.Module):
    """Hidden representation of one expression value: (...,) -> (..., H)."""

    def __init__(self, hidden, num_prototypes, num_bins, dim, tau):
        super().__init__()
        self.value_encoder = nn.Sequential(
            nn.Linear(1, hidden), nn.SiLU(), RMSNorm(hidden), nn.Linear(hidden, hidden)
        )
        self.bin_prototypes = nn.Parameter(torch.empty(num_prototypes, hidden))
        self.bin_embeddings = nn.Parameter(torch.empty(num_bins, dim))
        self.tau = tau

    def encode(self, x):
        return self.value_encoder(x.unsqueeze(-1))


class ExprEmbedding(ScalarEncoder):
    def __init__(self, hidden, num_bins, dim, tau):
        super().__init__(hidden, num_bins - 1, num_bins, dim, tau)

    def forward(self, x):  # (C, G) -> (C, G, D)
        nonzero = x != 0
        p = prototype_weights(self.encode(x[nonzero]), self.bin_prototypes, self.tau)
        out = self.bin_embeddings[0].expand(*x.shape, -1).clone()
        out[nonzero] = p @ self.bin_embeddings[1:]
        return out


class BatchEmbedding(ScalarEncoder):
    def __init__(self, hidden, num_bins, dim, tau):
        super().__init__(hidden, num_bins, num_bins, dim, tau)
        self.attention_score = nn.Linear(hidden, 1)

    def forward(self, x, pad):  # (C, G) -> (C, D)
        h = self.encode(x)
        score = self.attention_score(h).squeeze(-1)
        if pad is not None:
            score = score.masked_fill(pad, float("-inf"))
        pooled = torch.einsum("cg,cgh->ch", F.softmax(score, dim=-1), h)
        return prototype_weights(pooled, self.bin_prototypes, self.tau) @ self.bin_embeddings


class ConditionEmbedding(nn.Module):
    def __init__(self, num_conditions, dim):
        super().__init__()
        self.cond_embedding = nn.Embedding(num_conditions, dim)
        self.cond_position_embedding = nn.Embedding(4, dim)
        self.cond_encoder = nn.Sequential(
            nn.Linear(4 * dim, dim), nn.SiLU(), RMSNorm(dim), nn.Linear(dim, dim)
        )

    def forward(self, ids):  # (C, 4) -> (C, D)
        e = self.cond_embedding(ids) + self.cond_position_embedding.weight
        return self.cond_encoder(e.flatten(1))


class Embedding(nn.Module):
    def __init__(self, cfg, vocab, num_conditions):
        super().__init__()
        d = cfg["embed_dim"]
        self.gene_embedding = nn.Embedding(vocab, d, padding_idx=0)
        self.tf_type_embedding = nn.Embedding(2, d)
        self.expr_embedding = ExprEmbedding(
            cfg["expr_hidden_dim"], cfg["expr_num_bins"], d, cfg["expr_tau"]
        )
        self.batch_embedding = BatchEmbedding(
            cfg["batch_hidden_dim"], cfg["batch_num_bins"], d, cfg["batch_tau"]
        )
        self.condition_embedding = ConditionEmbedding(num_conditions, d)
        self.prefix_type_embedding = nn.Parameter(torch.empty(1, 1, d))
        self.gene_type_embedding = nn.Parameter(torch.empty(1, 1, d))
        self.final_norm = RMSNorm(d)
        self.dropout = nn.Dropout(cfg["out_dropout"])

    def forward(self, batch, keep):
        ids, x, pad = batch["input_ids"], batch["expression_values"], batch.get("padding_mask")
        kind = self.tf_type_embedding(batch["non_tf_mask"].long())
        if pad is not None:
            kind = kind.masked_fill(pad.unsqueeze(-1), 0.0)
        expr = self.expr_embedding(x)
        cond = self.condition_embedding(batch["condition_ids"])
        cell = self.batch_embedding(x, pad)
        genes = self.gene_embedding(ids) + expr + kind + self.gene_type_embedding
        prefix = (cond + cell).unsqueeze(1) + self.prefix_type_embedding
        out = self.dropout(self.final_norm(torch.cat([prefix, genes], dim=1)))
        if keep is not None:
            keep.update(expr_embedding=expr, batch_embedding=cell, condition_embedding=cond)
        return out  # (C, L, D)


def rotary_tables(length, dim, base, like):
    freq = base ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)
    angle = torch.arange(length, dtype=torch.float64).unsqueeze(1) * freq
    return angle.cos().to(like.dtype), angle.sin().to(like.dtype)


def rotate(x, cos, sin, interleaved):
    if interleaved:
        a, b = x[..., 0::2], x[..., 1::2]
        return torch.stack([a * cos - b * sin, a * sin + b * cos], dim=-1).flatten(-2)
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


class Attention(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        d = cfg["embed_dim"]
        self.heads = cfg["num_heads"]
        self.qkv_proj = nn.Linear(d, 3 * d, bias=cfg["qkv_bias"])
        self.out_proj = nn.Linear(d, d, bias=cfg["out_bias"])
        self.rotary = (cfg["rotary_base"], cfg["rotary_interleaved"]) if cfg["use_rotary"] else None

    def forward(self, x, key_mask):
        c, n, d = x.shape
        q, k, v = self.qkv_proj(x).view(c, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        if self.rotary is not None:
            cos, sin = rotary_tables(n, d // self.heads, self.rotary[0], x)
            q, k = rotate(q, cos, sin, self.rotary[1]), rotate(k, cos, sin, self.rotary[1])
        o = F.scaled_dot_product_attention(q, k, v, attn_mask=key_mask)
        return self.out_proj(o.transpose(1, 2).reshape(c, n, d))


class SwiGLU(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        d, bias = cfg["embed_dim"], cfg["backbone_mlp_bias"]
        hidden = cfg["backbone_mlp_hidden_dim"] or 4 * d
        self.gate_proj = nn.Linear(d, hidden, bias=bias)
        self.up_proj = nn.Linear(d, hidden, bias=bias)
        self.down_proj = nn.Linear(hidden, d, bias=bias)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.attn_norm = RMSNorm(cfg["embed_dim"], cfg["norm_eps"])
        self.attn = Attention(cfg)
        self.mlp_norm = RMSNorm(cfg["embed_dim"], cfg["norm_eps"])
        self.mlp = SwiGLU(cfg)
        self.dropout = nn.Dropout(cfg["backbone_mlp_dropout"])

    def forward(self, x, key_mask):
        x = x + self.attn(self.attn_norm(x), key_mask)
        return x + self.dropout(self.mlp(self.mlp_norm(x)))


class Backbone(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.layers = nn.ModuleList(Block(cfg) for _ in range(cfg["num_layers"]))
        self.final_norm = RMSNorm(cfg["embed_dim"], cfg["norm_eps"])

    def forward(self, x, pad, keep):
        # No padding: no mask at all, so that SDPA takes its flash CPU kernel.
        key_mask = None if pad is None else ~pad[:, None, None, :]

        def clear(t):
            return t if pad is None else t.masked_fill(pad.unsqueeze(-1), 0.0)

        x = clear(x)
        if keep is not None:
            keep["embedding"] = x
        for i, layer in enumerate(self.layers):
            x = clear(layer(x, key_mask))
            if keep is not None:
                keep[f"layer{i}"] = x
        return clear(self.final_norm(x))


class Gating(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.topk, self.temperature = cfg["topk"], cfg["router_temperature"]
        self.momentum = cfg["beta_momentum"]
        self.register_buffer("beta_qb", torch.zeros(cfg["num_factors"]))

    def forward(self, logits):  # (N, M) -> (N, M)
        if self.topk is None or self.topk >= logits.shape[-1]:
            return F.softmax(logits / self.temperature, dim=-1)
        index = (logits.detach() - self.beta_qb).topk(self.topk, dim=-1).indices
        p = F.softmax(logits.gather(-1, index) / self.temperature, dim=-1)
        return torch.zeros_like(logits).scatter(-1, index, p)

    @torch.no_grad()
    def balance(self, logits_list):
        """Quantile balancing, once per optimizer step; a list of (N_i, M), one per micro-batch."""
        total = sum(x.shape[0] for x in logits_list)
        m = self.beta_qb.shape[0]
        if self.topk is None or self.topk >= m or total == 0:
            return
        target = torch.zeros_like(self.beta_qb)
        for logits in logits_list:
            n = logits.shape[0]
            if n == 0:
                continue
            alpha = (logits - self.beta_qb).topk(self.topk + 1, dim=-1).values[:, -1:]
            t = min(n - 1, max(1, round(n * self.topk / m)))
            # kthvalue counts from the smallest: the (t+1)-th largest of n.
            target += (n / total) * (logits - alpha).kthvalue(n - t, dim=0).values
        self.beta_qb += self.momentum * (target - self.beta_qb)


class Router(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.mlp = mlp(
            cfg["embed_dim"], cfg["router_hidden_dim"], cfg["num_factors"], cfg["router_dropout"]
        )
        self.gating = Gating(cfg)
        self.last_logits = None

    def forward(self, h, active):  # h (C, G, D), active (C, G) or None for all -> (C, G, M)
        logits = self.mlp(h if active is None else h[active])
        self.last_logits = logits.detach().flatten(0, -2) if self.training else None
        p = self.gating(logits)
        if active is None:
            return p
        out = p.new_zeros(*h.shape[:2], p.shape[-1])
        out[active] = p
        return out


class SFM(nn.Module):
    def __init__(self, cfg, vocab, num_conditions):
        super().__init__()
        self.embedding = Embedding(cfg, vocab, num_conditions)
        self.backbone = Backbone(cfg)
        self.tf_router = Router(cfg)
        self.tg_router = Router(cfg)

    def forward(self, batch, keep=None):
        x = self.embedding(batch, keep)
        pad = batch.get("padding_mask")
        pad_l = None if pad is None else F.pad(pad, (1, 0), value=False)
        h = self.backbone(x, pad_l, keep)
        if keep is not None:
            keep["hidden"] = h
        genes = h[:, 1:]
        tf = batch["tf_mask"]
        u = self.tf_router(genes, tf)
        v = self.tg_router(genes, None if pad is None else ~pad)
        return u, v


class Projection(nn.Module):
    def __init__(self, hidden, dropout):
        super().__init__()
        self.proj = mlp(1, hidden, hidden, dropout)

    def forward(self, x):
        return self.proj(x.unsqueeze(-1))


class VGAEEncoder(nn.Module):
    def __init__(self, hidden, dropout):
        super().__init__()
        self.expr_proj = Projection(hidden, dropout)
        self.posterior_proj = mlp(3 * hidden, hidden, 2, dropout)

    def forward(self, x, u, v, pad):
        e = self.expr_proj(x)
        pred = v @ (u.mT @ e)
        mu, s = self.posterior_proj(torch.cat([e, pred, e - pred], dim=-1)).unbind(-1)
        sigma = F.softplus(s) + 1e-6
        if pad is not None:
            mu, sigma = mu.masked_fill(pad, 0.0), sigma.masked_fill(pad, 1.0)
        return mu, sigma


class VGAEDecoder(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        hidden, dropout = cfg["hidden_dim"], cfg["dropout"]
        self.steps, self.damping = cfg["fp_steps"], cfg["fp_damping"]
        self.z_proj = Projection(hidden, dropout)
        self.out_proj = mlp(2 * hidden, hidden, 3, dropout)

    def forward(self, z, u, v, pad):
        f = self.z_proj(z)
        h = f
        for _ in range(self.steps):
            h = f + self.damping * (v @ (u.mT @ h))
        mu, s, d = self.out_proj(torch.cat([f, h], dim=-1)).unbind(-1)
        sigma, p = F.softplus(s) + 1e-6, torch.sigmoid(d)
        if pad is not None:
            mu, sigma, p = mu.masked_fill(pad, 0.0), sigma.masked_fill(pad, 1.0), p.masked_fill(pad, 0.0)
        return mu, sigma, p


class VGAE(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.encoder = VGAEEncoder(cfg["hidden_dim"], cfg["dropout"])
        self.decoder = VGAEDecoder(cfg)

    def forward(self, x, u, v, eps, pad):
        mu_z, sigma_z = self.encoder(x, u, v, pad)
        z = mu_z + sigma_z * eps
        mu_h, sigma_h, p_drop = self.decoder(z, u, v, pad)
        return dict(mu_z=mu_z, sigma_z=sigma_z, z=z, mu_h=mu_h, sigma_h=sigma_h, p_drop=p_drop)


class Model(nn.Module):
    """Module names give the published checkpoint names."""

    def __init__(self, config, vocab, num_conditions):
        super().__init__()
        self.foundation_modules = nn.ModuleDict({"sfm": SFM(config["sfm"], vocab, num_conditions)})
        self.head_modules = nn.ModuleDict({"vgae": VGAE(config["vgae"])})

    @property
    def sfm(self):
        return self.foundation_modules["sfm"]

    def forward(self, batch, keep=None):
        u, v = self.sfm(batch, keep)
        vgae = self.head_modules["vgae"](
            batch["expression_values"], u, v, batch["vgae.eps"], batch.get("padding_mask")
        )
        return u, v, vgae


# ---------------------------------------------------------------- the losses

HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


def loss_elbo(x, out, pad):
    mu = out["mu_h"].nan_to_num(nan=0.0, posinf=1e4, neginf=-1e4)
    sigma = out["sigma_h"].nan_to_num(nan=1.0, posinf=1e4, neginf=1e-5).clamp_min(1e-5)
    p = out["p_drop"].nan_to_num(nan=0.0, posinf=1.0, neginf=0.0).clamp(1e-5, 1.0 - 1e-5)
    log_normal = -HALF_LOG_2PI - sigma.log() - 0.5 * ((x - mu) / sigma).square()
    at_zero = (p + (1.0 - p) * log_normal.exp() + 1e-8).log()
    elsewhere = (1.0 - p + 1e-8).log() + log_normal
    log_p = torch.where(x == 0, at_zero, elsewhere)
    mu_z, sigma_z = out["mu_z"], out["sigma_z"]
    kl = 0.5 * (mu_z.square() + sigma_z.square() - 1.0) - sigma_z.log()
    if pad is not None:
        log_p, kl = log_p.masked_fill(pad, 0.0), kl.masked_fill(pad, 0.0)
    return (kl - log_p).sum(-1).mean()


def loss_prior(u, v, ids, tf, pad, prior_keys, vocab, topk, pos=5.0, neg=0.1):
    """Weighted BCE over the topk strongest TF-gene pairs of each cell.

    prior_keys: sorted int64, source token * vocab + target token.
    """
    c, g, m = u.shape
    # TF rows of each cell moved to the front; rows beyond the cell's number of TFs are invalid.
    rows = int(tf.sum(-1).max())
    order = tf.to(torch.uint8).argsort(dim=-1, descending=True, stable=True)[:, :rows]  # (C, T)
    u_tf = u.gather(1, order.unsqueeze(-1).expand(-1, -1, m))
    p = u_tf @ v.mT  # (C, T, G)
    valid = tf.gather(1, order).unsqueeze(-1)
    if pad is not None:
        valid = valid & ~pad.unsqueeze(1)
    p = p.masked_fill(~valid, -1.0).flatten(1)
    p, index = p.topk(min(topk, p.shape[1]), dim=-1)
    source = ids.gather(1, order.gather(1, index // g))
    target = ids.gather(1, index % g)
    key = source * vocab + target
    found = torch.searchsorted(prior_keys, key).clamp_max(len(prior_keys) - 1)
    label = prior_keys[found] == key
    weight = torch.where(label, pos, neg) * (p.detach() >= 0)
    eps = max(1e-8, F32_EPS)
    p = eps + (1.0 - 2.0 * eps) * p.clamp_min(0.0)
    bce = -torch.where(label, p.log(), (1.0 - p).log())
    return (weight * bce).sum() / (weight.sum() + 1e-8)


def loss_dag(u, v):
    m = u.shape[-1]
    a = F.relu(v.mT @ u)  # (C, M, M)
    power = torch.linalg.matrix_power(torch.eye(m, dtype=u.dtype) + a / m, m)
    return (power.diagonal(dim1=-2, dim2=-1).sum(-1) - m).mean()


def loss_sparsity(u, v, tf, pad, weight=0.001):
    genes = float(tf.shape[1]) if pad is None else (~pad).sum(-1)
    score = (u.sum(1) * v.sum(1)).sum()
    return weight * score / (tf.sum(-1) * genes).sum()


def losses(batch, u, v, vgae, prior_keys, vocab, topk, prior_weight=20.0):
    pad, tf = batch.get("padding_mask"), batch["tf_mask"]
    out = {
        "elbo": loss_elbo(batch["expression_values"], vgae, pad),
        "prior": loss_prior(u, v, batch["input_ids"], tf, pad, prior_keys, vocab, topk),
        "dag": loss_dag(u, v),
        "sparsity": loss_sparsity(u, v, tf, pad),
    }
    out["total"] = out["elbo"] + prior_weight * out["prior"] + out["dag"] + out["sparsity"]
    return out


# ---------------------------------------------------------------- case folders

BATCH_KEYS = (
    "input_ids", "expression_values", "condition_ids", "non_tf_mask", "padding_mask", "vgae.eps",
)


def prepare(batch, dtype):
    out = {k: (v.to(dtype) if v.is_floating_point() else v) for k, v in batch.items()}
    tf = ~out["non_tf_mask"]
    pad = out.get("padding_mask")
    out["tf_mask"] = tf if pad is None else tf & ~pad
    return out


def read_package(folder, dtype=torch.float32):
    """Model, prior keys and vocabulary size of a package folder in the published layout."""
    with open(os.path.join(folder, "models/sfm/sfm_config.json")) as f:
        config = json.load(f)
    with open(os.path.join(folder, "tokenizer/vocab.json")) as f:
        records = json.load(f)
    vocab = 1 + max(r["token_index"] for r in records)
    token = {r["gene_symbol"].strip().upper(): r["token_index"] for r in records if r["gene_symbol"]}
    state = load_file(os.path.join(folder, "models/sfm/sfm_model.safetensors"))
    conditions = state[
        "foundation_modules.sfm.embedding.condition_embedding.cond_embedding.weight"
    ].shape[0]
    model = Model(config, vocab, conditions).to(dtype)
    model.load_state_dict(state, strict=True)
    keys = set()
    with open(os.path.join(folder, "resources/OmniPath.csv"), newline="") as f:
        for row in csv.DictReader(f):
            a, b = row["Gene1"].strip().upper(), row["Gene2"].strip().upper()
            if a in token and b in token:
                keys.add(token[a] * vocab + token[b])
    return model, torch.tensor(sorted(keys), dtype=torch.int64), vocab, config


# ---------------------------------------------------------------- validation


def agreement(value, expect, rtol, atol):
    """Largest error over the largest expected value, and whether rtol/atol hold element by element."""
    value, expect = value.detach().double(), expect.double().reshape(value.shape)
    err = (value - expect).abs()
    scale = max(float(expect.abs().max()), atol)  # some gradients are zero by symmetry
    ok = bool((err <= atol + rtol * expect.abs()).all()) and bool(torch.isfinite(value).all())
    return float(err.max()) / scale, ok


def show(rows, title):
    worst = max(rows, key=lambda r: r[1])
    bad = [r for r in rows if not r[2]]
    print(f"{title:34s} {len(rows):4d} tensors  worst {worst[1]:.2e} ({worst[0]})  outside tolerance {len(bad)}")
    for name, rel, _ in bad:
        print(f"    outside: {name}: {rel:.2e}")
    return not bad


def validate_case(folder, dtype):
    model, prior, vocab, _ = read_package(folder, dtype)
    case = load_file(os.path.join(folder, "case.safetensors"))
    batch = prepare({k: case[k] for k in BATCH_KEYS if k in case}, dtype)
    model.train()
    keep = {}
    u, v, vgae = model(batch, keep)
    keep.update(u=u, v=v, grn=u @ v.mT)
    keep.update({f"vgae.{k}": t for k, t in vgae.items()})
    loss = losses(batch, u, v, vgae, prior, vocab, topk=24)
    keep.update({f"loss.{k}": t.reshape(1) for k, t in loss.items()})
    loss["total"].backward()
    sfm = model.sfm
    for short, router in (("tf", sfm.tf_router), ("tg", sfm.tg_router)):
        router.gating.balance([router.last_logits])
        keep[f"beta_qb.{short}"] = router.gating.beta_qb
    name = os.path.basename(os.path.normpath(folder))
    ok = True
    groups = {"embedding": [], "backbone": [], "factors, grn, beta": [], "vgae": [], "loss": []}
    for key, value in keep.items():
        expect = case.get(f"expect.{key}")
        if expect is None:
            continue
        group = ("loss" if key.startswith("loss") else "vgae" if key.startswith("vgae") else
                 "embedding" if key.endswith("embedding") else
                 "backbone" if key.startswith("layer") or key == "hidden" else "factors, grn, beta")
        groups[group].append((f"expect.{key}", *agreement(value, expect, 1e-4, 1e-5)))
    for group, rows in groups.items():
        if rows:
            ok &= show(rows, f"{name} {group}")
    unused = [k for k in case if k.startswith("expect.") and k[7:] not in keep and "order" not in k]
    grads = {k[5:]: t for k, t in case.items() if k.startswith("grad.")}
    rows = []
    for key, p in model.named_parameters():
        expect = grads.pop(key, None)
        if expect is not None:
            g = torch.zeros_like(p) if p.grad is None else p.grad
            rows.append((f"grad.{key}", *agreement(g, expect, 1e-3, 1e-5)))
    if rows:
        ok &= show(rows, f"{name} gradients")
    if unused or grads:
        print(f"    NOT COMPARED {unused + list(grads)}")
        ok = False
    return ok


def validate_train(folder, dtype):
    path = os.path.join(folder, "train.safetensors")
    if not os.path.exists(path):
        return True
    model, prior, vocab, _ = read_package(folder, dtype)
    case = load_file(os.path.join(folder, "case.safetensors"))
    train = load_file(path)
    base = {k: case[k] for k in BATCH_KEYS if k in case and k != "vgae.eps"}
    half = base["input_ids"].shape[0] // 2  # the last half of 3 cells is one cell
    model.train()
    optimizer = make_optimizer(model, lr=3e-3)
    rows, steps, warm = [], 6, 2
    for step in range(steps):
        lr = 3e-3 * ((step + 1) / warm if step < warm else
                     0.1 + 0.45 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm))))
        for group in optimizer.param_groups:
            group["lr"] = lr
        optimizer.zero_grad(set_to_none=True)
        logits = ([], [])
        for micro in range(2):
            eps = train[f"step{step}.micro{micro}.eps"]
            n = eps.shape[0]
            pick = torch.arange(n) if micro == 0 else torch.arange(n - 1, n - half - 1, -1)
            batch = {k: t[pick] for k, t in base.items()}
            batch = prepare({**batch, "vgae.eps": eps[: len(pick)]}, dtype)
            u, v, vgae = model(batch)
            loss = losses(batch, u, v, vgae, prior, vocab, topk=24)["total"]
            (loss / 2).backward()
            for store, router in zip(logits, (model.sfm.tf_router, model.sfm.tg_router)):
                store.append(router.last_logits)
            rows.append((f"step{step}.micro{micro}.loss",
                         *agreement(loss.reshape(1), train[f"expect.step{step}.micro{micro}.loss"], 1e-4, 1e-5)))
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        for store, router in zip(logits, (model.sfm.tf_router, model.sfm.tg_router)):
            router.gating.balance(store)
        rows.append((f"step{step}.grad_norm",
                     *agreement(norm.reshape(1), train[f"expect.step{step}.grad_norm"], 1e-3, 1e-5)))
        rows.append((f"step{step}.lr",
                     *agreement(torch.tensor([lr]), train[f"expect.step{step}.lr"], 1e-5, 1e-9)))
    state = model.state_dict()
    for key, expect in train.items():
        if key.startswith("expect.final."):
            rows.append((key, *agreement(state[key[13:]], expect, 2e-3, 2e-5)))
    return show(rows, f"{os.path.basename(os.path.normpath(folder))} six training steps")


def validate(folders):
    """Every case in float32 and float64; the six training steps must hold in float64.

    In float32 the steps are shown but not counted: without rotary the gradient of the key bias is exactly zero, and
    Adam turns what rounding leaves of it into steps of visible size (see README.md).
    """
    ok = True
    for dtype in (torch.float32, torch.float64):
        print(dtype)
        for folder in folders:
            ok &= validate_case(folder, dtype)
            steps_ok = validate_train(folder, dtype)
            ok &= steps_ok or dtype == torch.float32
    print("all within tolerance" if ok else "FAILED")
    return ok


# ---------------------------------------------------------------- synthetic data

MASK64 = (1 << 64) - 1


def stream_key(name, seed):
    """FNV-1a (64 bit) of the tensor's name, plus the seed: one random stream per tensor."""
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001B3) & MASK64
    return (h + seed * 0x9E3779B97F4A7C15) & MASK64


def uniform(name, seed, n):
    """Element i is splitmix64 at counter i, top 53 bits plus a half, over 2^53: in (0, 1)."""
    with np.errstate(over="ignore"):
        z = np.uint64(stream_key(name, seed)) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return ((z >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53


def normal(name, seed, n):
    """Box-Muller on elements 2i and 2i+1 of the stream."""
    a = uniform(name, seed, 2 * n)
    return np.sqrt(-2.0 * np.log(a[0::2])) * np.cos(2.0 * math.pi * a[1::2])


def synthetic_batch(args):
    """One batch without padding: the same genes in every cell, log1p(1e4 count / total)."""
    c, g, seed = args.cells, args.genes, args.seed
    # Geometric counts (negative binomial, size 1): P(0) = 1 / (1 + mean), about 60% zeros overall.
    mean = np.exp(math.log(0.55) + 1.3 * normal("gene_mean", seed, g))
    depth = np.exp(0.25 * normal("cell_depth", seed, c))
    rate = depth[:, None] * mean[None, :]
    draw = uniform("count", seed, c * g).reshape(c, g)
    count = np.floor(np.log(draw) / np.log(rate / (1.0 + rate)))
    total = np.maximum(count.sum(1, keepdims=True), 1.0)
    x = np.log1p(1e4 * count / total).astype(np.float32)
    ids = 1 + np.argsort(uniform("gene_order", seed, args.vocab - 1), kind="stable")[:g]
    num_tf = max(1, round(0.1 * g))
    non_tf = np.ones(g, dtype=bool)
    non_tf[np.argsort(uniform("tf", seed, g), kind="stable")[:num_tf]] = False
    cond = (uniform("condition", seed, c * 4) * args.conditions).astype(np.int64).reshape(c, 4)
    return {
        "input_ids": torch.from_numpy(np.ascontiguousarray(np.broadcast_to(ids, (c, g)))),
        "expression_values": torch.from_numpy(x),
        "condition_ids": torch.from_numpy(cond),
        "non_tf_mask": torch.from_numpy(np.ascontiguousarray(np.broadcast_to(non_tf, (c, g)))),
        "vgae.eps": torch.from_numpy(normal("eps", seed, c * g).astype(np.float32).reshape(c, g)),
    }


def synthetic_prior(args, batch):
    """About args.pairs random (TF, gene) pairs as sorted keys."""
    ids = batch["input_ids"][0].numpy()
    tf = ids[~batch["non_tf_mask"][0].numpy()]
    a = tf[(uniform("prior_source", args.seed, args.pairs) * len(tf)).astype(np.int64)]
    b = ids[(uniform("prior_target", args.seed, args.pairs) * len(ids)).astype(np.int64)]
    keys = np.unique(a[a != b] * args.vocab + b[a != b])
    return torch.from_numpy(keys)


def published_config(args):
    return {
        "sfm": {
            "embed_dim": args.dim, "expr_num_bins": 32, "expr_hidden_dim": 128, "expr_tau": 1.0,
            "batch_num_bins": 128, "batch_hidden_dim": 128, "batch_tau": 1.0, "cond_dropout": 0.0,
            "out_dropout": 0.0, "num_layers": args.layers, "num_heads": args.heads,
            "backbone_mlp_hidden_dim": None, "backbone_mlp_dropout": 0.0, "attention_backend": "fa2",
            "use_rotary": False, "qkv_bias": True, "out_bias": True, "backbone_mlp_bias": True,
            "norm_eps": 1e-06, "rotary_base": 10000.0, "rotary_interleaved": False,
            "num_factors": args.factors, "router_hidden_dim": 128, "router_dropout": 0.0,
            "topk": args.topk, "router_temperature": 1.0, "beta_momentum": 0.9,
        },
        "vgae": {"hidden_dim": 128, "dropout": 0.0, "fp_steps": 3, "fp_damping": 0.5},
    }


@torch.no_grad()
def synthetic_weights(model, seed):
    """Linear layers uniform in +-1/sqrt(inputs), tables normal with deviation 0.02, prototypes 0.2, norms one."""
    for prefix, module in model.named_modules():
        for short, p in module.named_parameters(prefix=prefix, recurse=False):
            n = p.numel()
            if isinstance(module, RMSNorm):
                value = np.ones(n)
            elif isinstance(module, nn.Linear):
                bound = 1.0 / math.sqrt(module.in_features)
                value = bound * (2.0 * uniform(short, seed, n) - 1.0)
            else:
                value = (0.2 if "prototypes" in short else 0.02) * normal(short, seed, n)
            p.copy_(torch.from_numpy(value).reshape(p.shape))
            if short.endswith("gene_embedding.weight"):
                p[0] = 0.0


def write_package(folder, model, config, args, batch, prior):
    def path(*names):
        full = os.path.join(folder, *names)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        return full

    def table(name, header, rows):
        with open(path("resources", name), "w", newline="") as f:
            writer = csv.writer(f, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(rows)

    symbol = [None] + [f"GENE{i:05d}" for i in range(1, args.vocab)]
    records = [{"token_index": 0, "gene_symbol": None, "gene_id": "<pad>"}] + [
        {"token_index": i, "gene_symbol": symbol[i], "gene_id": f"ENSG{i:011d}"} for i in range(1, args.vocab)
    ]
    conditions = [{"cond_value": "<unk>", "token_index": 0}] + [
        {"cond_value": f"condition {i}", "token_index": i} for i in range(1, args.conditions)
    ]
    for names, value in (
        (("models", "sfm", "sfm_config.json"), config),
        (("tokenizer", "vocab.json"), records),
        (("tokenizer", "cond_dict.json"), conditions),
    ):
        with open(path(*names), "w") as f:
            json.dump(value, f, indent=1)
    state = model.state_dict()
    save_file({k: t.contiguous() for k, t in state.items()}, path("models", "sfm", "sfm_model.safetensors"))
    gene = state["foundation_modules.sfm.embedding.gene_embedding.weight"]
    save_file({"embeddings": gene.clone()}, path("tokenizer", "vocab.safetensors"))
    tf = sorted(int(i) for i in batch["input_ids"][0][~batch["non_tf_mask"][0]])
    for species in ("human", "mouse"):
        table(f"{species}_tfs.csv", ["TF"], [[symbol[i]] for i in tf])
    table("OmniPath.csv", ["Gene1", "Gene2"],
          [[symbol[k // args.vocab], symbol[k % args.vocab]] for k in prior.tolist()])


def write_batch(file, model, args, batch, prior):
    """The batch, and what this model makes of it (computed in float64) for a comparison at this size."""
    tensors = dict(batch)
    if args.expect:
        model = model.double().eval()
        with torch.no_grad():
            wide, keep = prepare(batch, torch.float64), {}
            u, v, vgae = model(wide, keep)
            loss = losses(wide, u, v, vgae, prior, args.vocab, args.prior_topk)
        keep = {"hidden": keep["hidden"], "u": u, "v": v}
        keep.update({f"vgae.{k}": t for k, t in vgae.items()})
        keep.update({f"loss.{k}": t.reshape(1) for k, t in loss.items()})
        tensors.update({f"expect.{k}": t.float().contiguous() for k, t in keep.items()})
    what = f"synthetic benchmark batch, seed {args.seed}; prior weight 20, topk {args.prior_topk}; see bench/README.md"
    os.makedirs(os.path.dirname(os.path.abspath(file)), exist_ok=True)
    save_file(tensors, file, metadata={"what": what})


# ---------------------------------------------------------------- benchmark


def memory_mb(field):
    with open("/proc/self/status") as f:
        for line in f:
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024.0
    return float("nan")


def reset_peak():
    """Start VmHWM again from the present; False where the kernel refuses."""
    try:
        with open("/proc/self/clear_refs", "w") as f:
            f.write("5")
        return True
    except OSError:
        return False


def make_optimizer(model, lr=1e-4):
    return torch.optim.AdamW(model.parameters(), lr=lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.05, fused=True)


def wake_libraries():
    """Thread pools and BLAS buffers belong to the libraries, not to the model: start them before measuring."""
    w = torch.ones(64, 64, requires_grad=True)
    q = (w @ w).view(1, 1, 64, 64)
    F.scaled_dot_product_attention(q, q, q).sum().backward()


def bench_infer(model, batch):
    model.eval()

    def step():
        with torch.inference_mode():
            u, v = model.sfm(batch)
        return u, v

    return step


def bench_train(model, batch, prior, args):
    model.train()
    optimizer = make_optimizer(model)
    routers = (model.sfm.tf_router, model.sfm.tg_router)

    def step():
        optimizer.zero_grad(set_to_none=True)
        u, v, vgae = model(batch)
        loss = losses(batch, u, v, vgae, prior, args.vocab, args.prior_topk)["total"]
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        for router in routers:
            router.gating.balance([router.last_logits])
        return float(loss.detach())

    return step


def sgemm_rate():
    """GFLOP/s of torch.mm at 2048^3, best of 5: says how far this torch is from the machine's peak."""
    a, b = torch.rand(2048, 2048), torch.rand(2048, 2048)
    best = math.inf
    for _ in range(5):
        t = time.perf_counter()
        torch.mm(a, b)
        best = min(best, time.perf_counter() - t)
    return 2.0 * 2048**3 / best / 1e9


def bench(args, model, batch, prior):
    batch = prepare(batch, torch.float32)
    wake_libraries()
    step = bench_infer(model, batch) if args.bench == "infer" else bench_train(model, batch, prior, args)
    was_reset = reset_peak()
    before = memory_mb("VmRSS")
    seconds, results = [], []
    for _ in range(1 + args.repeats):  # the first run warms up and is not timed
        t = time.perf_counter()
        results.append(step())
        seconds.append(time.perf_counter() - t)
    peak = memory_mb("VmHWM")
    out = {
        "engine": "pytorch", "version": torch.__version__, "mode": args.bench,
        "cells": batch["input_ids"].shape[0], "genes": batch["input_ids"].shape[1], "dim": args.dim,
        "layers": args.layers, "heads": args.heads, "factors": args.factors, "topk": args.topk,
        "vocab": args.vocab, "threads": torch.get_num_threads(), "mkl_as_intel": args.mkl_as_intel,
        "repeats": args.repeats,
        "first_s": round(seconds[0], 4),
        "median_s": round(statistics.median(seconds[1:]), 4), "min_s": round(min(seconds[1:]), 4),
        "rss_before_mb": round(before, 1), "peak_rss_mb": round(peak, 1),
        "peak_minus_before_mb": round(peak - before, 1), "peak_reset": was_reset,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(), "machine": platform.machine(),
    }
    if args.bench == "train":
        out["loss"] = [round(x, 4) for x in results]
    else:
        u, v = results[-1]
        out["sum_u2"], out["sum_v2"] = float(u.double().square().sum()), float(v.double().square().sum())
    out["sgemm_2048_gflops"] = round(sgemm_rate(), 1)  # after the memory reading
    print(json.dumps(out))


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--validate", nargs="+", metavar="DIR")
    p.add_argument("--mkl-as-intel", action="store_true", help="on AMD: let MKL use its AVX-512 kernels")
    p.add_argument("--bench", choices=["infer", "train"])
    for name, default in (("cells", 8), ("genes", 1024), ("dim", 256), ("layers", 4), ("heads", 8),
                          ("factors", 128), ("topk", 16), ("threads", 2), ("repeats", 5), ("seed", 1),
                          ("pairs", 2000), ("prior-topk", 512), ("conditions", 12)):
        p.add_argument(f"--{name}", type=int, default=default)
    p.add_argument("--vocab", type=int, help="tokens including <pad>; default genes + 1")
    p.add_argument("--weights", metavar="FILE", help="safetensors under the published names; default: synthetic")
    p.add_argument("--case", metavar="DIR", help="read package and case.safetensors instead of making them")
    p.add_argument("--write-batch", metavar="FILE")
    p.add_argument("--write-package", metavar="DIR")
    p.add_argument("--expect", action="store_true", help="also write expect.* (float64) into the batch file")
    args = p.parse_args()
    args.vocab = args.vocab or args.genes + 1
    if args.vocab <= args.genes:
        p.error(f"--vocab {args.vocab}: must exceed --genes {args.genes}; leave it out")
    return args


def obtain(args):
    if args.case:
        model, prior, args.vocab, config = read_package(args.case)
        sfm = config["sfm"]
        args.dim, args.layers, args.heads = sfm["embed_dim"], sfm["num_layers"], sfm["num_heads"]
        args.factors, args.topk = sfm["num_factors"], sfm["topk"]
        case = load_file(os.path.join(args.case, "case.safetensors"))
        return model, {k: case[k] for k in BATCH_KEYS if k in case}, prior, config
    config = published_config(args)
    model = Model(config, args.vocab, args.conditions)
    synthetic_weights(model, args.seed)
    if args.weights and os.path.exists(args.weights):
        model.load_state_dict(load_file(args.weights), strict=True)
    elif args.weights:
        sys.exit(f"--weights {args.weights}: no such file; --write-package makes one")
    batch = synthetic_batch(args)
    return model, batch, synthetic_prior(args, batch), config


def main():
    args = arguments()
    torch.set_num_threads(args.threads)
    if args.validate:
        sys.exit(0 if validate(args.validate) else 1)
    model, batch, prior, config = obtain(args)
    if args.bench:
        bench(args, model, batch, prior)
    if args.write_package:
        write_package(args.write_package, model, config, args, batch, prior)
        args.write_batch = args.write_batch or os.path.join(args.write_package, "case.safetensors")
    if args.write_batch:
        write_batch(args.write_batch, model, args, batch, prior)


if __name__ == "__main__":
    main()
