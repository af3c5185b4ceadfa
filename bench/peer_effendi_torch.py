"""PyTorch peer of bench_effendi.c: Effendi's stage 2.2 training step in its direct form.

The trajectory is stacked, every gene's state is read from it, (cells, genes, width), and averaged: what the
specification writes down. Same weights, data and losses as the engine; the first loss must agree.

  WRITE=/tmp/effendi.safetensors bench_effendi 128 1654 512 200 2 5
  python peer_effendi_torch.py /tmp/effendi.safetensors --steps 200 --threads 2 --repeats 3

Prints one CSV line like the engine's: who, stage, form, cells, genes, dim, steps, threads, median and fastest step in
seconds, peak bytes above the process before the model, first loss."""
import argparse
import statistics
import time

import torch
import torch.nn.functional as F
from safetensors.torch import load_file


def memory_kb(field):
    with open("/proc/self/status") as f:
        for line in f:
            if line.startswith(field + ":"):
                return int(line.split()[1])


class Effendi:
    def __init__(self, w):
        self.u = [w.pop(f"vector_field.net.{i}.weight_u") for i in (0, 2, 4)]
        self.v = [w.pop(f"vector_field.net.{i}.weight_v") for i in (0, 2, 4)]
        self.p = {k: torch.nn.Parameter(x) for k, x in w.items()}

    def linear(self, x, name):
        return F.linear(x, self.p[name + ".weight"], self.p[name + ".bias"])

    def norm(self, x, name):
        return F.layer_norm(x, x.shape[-1:], self.p[name + ".weight"], self.p[name + ".bias"])

    def field(self):
        """Weights divided by their spectral norm, once per step; one power iteration."""
        layers = []
        for i in range(3):
            w = self.p[f"vector_field.net.{2 * i}.weight"]
            with torch.no_grad():
                self.v[i] = F.normalize(w.t() @ self.u[i], dim=0)
                self.u[i] = F.normalize(w @ self.v[i], dim=0)
            layers.append((w / (self.u[i] @ w @ self.v[i]), self.p[f"vector_field.net.{2 * i}.bias"]))
        (a, x), (b, y), (c, z) = layers
        return lambda s: F.linear(torch.tanh(F.linear(torch.tanh(F.linear(s, a, x)), b, y)), c, z)

    def integrate(self, f, z, duration, steps):
        dt, states = duration / steps, [z]
        for _ in range(steps):
            z = z + dt * f(z)
            states.append(z)
        return torch.stack(states)

    def loss(self, d, steps, tau_max):
        h = F.gelu(self.norm(self.linear(d["z_atac"], "align.net.0"), "align.net.1"))
        z = self.norm(self.linear(h, "align.net.4"), "align.net.5")
        emb = d["gene_emb"]
        t = torch.tanh(self.linear(emb, "tau_predictor.tau_mlp.0"))
        base = F.softplus(self.linear(t, "tau_predictor.tau_mlp.2")).squeeze(-1) + 1e-3
        m = torch.tanh(self.norm(self.linear(z, "tau_predictor.cell_mod.0"), "tau_predictor.cell_mod.1"))
        mod = self.linear(m, "tau_predictor.cell_mod.4") * 0.1
        tau = F.softplus(base + mod @ emb.t() * 0.1) + 1e-3
        f = self.field()
        bar = tau.flatten().kthvalue((tau.numel() - 1) // 2 + 1).values
        there = self.integrate(f, z, bar, steps)[-1]
        back = self.integrate(f, there, -bar, steps)[-1]
        path = self.integrate(f, z, tau_max, steps)
        place = tau.clamp(max=tau_max) / (tau_max / steps)
        i = place.detach().floor().long().clamp(max=steps - 1)
        share = (place - i).unsqueeze(-1)
        cell = torch.arange(z.shape[0]).unsqueeze(1)
        hidden = (1 - share) * path[i, cell] + share * path[i + 1, cell]
        g = F.relu(self.linear(hidden.mean(dim=1), "decoder.proj.0"))
        y = torch.sigmoid(self.linear(g, "decoder.proj.3") @ emb.t())
        return (
            F.mse_loss(there, d["z_rna"]) + 0.5 * F.mse_loss(y, d["gene_expr"]) + 0.01 * tau.abs().mean()
            + 0.1 * F.mse_loss(back, z)
        )


def main():
    a = argparse.ArgumentParser(description=__doc__)
    a.add_argument("file")
    for name, default in (("steps", 200), ("threads", 2), ("repeats", 3)):
        a.add_argument(f"--{name}", type=int, default=default)
    a = a.parse_args()
    torch.set_num_threads(a.threads)
    torch.ones(64, 64, requires_grad=True).matmul(torch.ones(64, 64)).sum().backward()  # wakes the libraries
    before = memory_kb("VmRSS")
    w = load_file(a.file)
    d = {k: w.pop(k) for k in ("z_atac", "z_rna", "gene_emb", "gene_expr")}
    w.pop("tau_bar")
    model = Effendi(w)
    field = [p for k, p in model.p.items() if k.startswith("vector_field.")]
    rest = [p for k, p in model.p.items() if not k.startswith("vector_field.")]
    optimizer = torch.optim.Adam([{"params": rest, "lr": 1e-3}, {"params": field, "lr": 1e-6}])
    seconds, first = [], None
    for _ in range(1 + a.repeats):  # the first warms up
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = model.loss(d, a.steps, 2.0)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(rest + field, 50.0)
        optimizer.step()
        seconds.append(time.perf_counter() - start)
        first = float(loss.detach()) if first is None else first
    peak = (memory_kb("VmHWM") - before) * 1024
    b, genes = d["gene_expr"].shape
    print(f"pytorch-{torch.__version__},2.2,direct,{b},{genes},{d['gene_emb'].shape[1]},{a.steps},{a.threads},"
          f"{statistics.median(seconds[1:]):.4f},{min(seconds[1:]):.4f},{peak},{first:.6f}")


if __name__ == "__main__":
    main()
