"""PyTorch peer of pert_nets.R: training steps of GEARS and of CellOT as their published code writes them, on the same
weights and cells. PyTorch Geometric is not needed: its SGConv is normalised edges, a gather and an index_add.

  python peer_pert_torch.py gears|cellot FOLDER STEPS THREADS

Prints a line as pert_nets.R does; the first loss must agree."""
import os
import sys
import time

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

what, folder, steps, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
torch.set_num_threads(threads)


def memory(field):
    with open("/proc/self/status") as f:
        for line in f:
            if line.startswith(field + ":"):
                return 1024 * int(line.split()[1])


def take(name):
    return load_file(f"{folder}/{what}-{name}.safetensors")["x"]


class Sgc:
    """Edges normalised as gcn_norm does it; a node's own edge is there already."""

    def __init__(self, links, nodes):
        to, source, w = links[0].long(), links[1].long(), links[2]
        degree = torch.zeros(nodes).index_add_(0, to, w)
        self.to, self.source = to, source
        self.w = (degree[source].rsqrt() * w * degree[to].rsqrt())[:, None]

    def __call__(self, x, weight, bias):
        y = torch.zeros_like(x).index_add(0, self.to, self.w * x[self.source])
        return F.linear(y, weight, bias)


class Gears:
    def __init__(self):
        state = load_file(f"{folder}/{what}-weights.safetensors")
        self.p = {k: torch.nn.Parameter(v) for k, v in state.items()
                  if v.is_floating_point() and "running" not in k and "num_batches" not in k}
        self.b = {k: v for k, v in state.items() if k not in self.p}
        near, go = take("near"), take("go")
        self.genes = state["gene_emb.weight"].shape[0]
        self.control, self.truth = take("control").t().contiguous(), take("truth").t().contiguous()
        cells, G = self.control.shape
        if os.environ.get("EVERY_CELL", "1") == "1":  # the graph once for each cell, as a PyG batch stacks it
            shift = (torch.arange(cells) * G)[:, None]
            ends = [(e.long()[None] + shift).reshape(-1) for e in near[:2]]
            near = [ends[0], ends[1], near[2].repeat(cells)]
        else:  # published: edges number the first cell's genes, others have loops
            rest = torch.arange(G, cells * G)
            near = [torch.cat([near[0].long(), rest]), torch.cat([near[1].long(), rest]),
                    torch.cat([near[2], torch.ones(len(rest))])]
        self.near, self.go = Sgc(near, cells * G), Sgc(go, state["pert_emb.weight"].shape[0])
        self.index = torch.arange(G).repeat(cells)
        self.pert = take("perturbed").t().long()  # (cells, most)
        self.reference = self.control.mean(0)

    def norm(self, x, name):
        return F.batch_norm(x, self.b[name + ".running_mean"], self.b[name + ".running_var"], self.p[name + ".weight"],
                            self.p[name + ".bias"], True)

    def mlp(self, x, name, layers):
        for i in range(layers):
            x = F.linear(x, self.p[f"{name}.network.{3 * i}.weight"], self.p[f"{name}.network.{3 * i}.bias"])
            x = self.norm(x, f"{name}.network.{3 * i + 1}")
            if i + 1 < layers:
                x = F.relu(x)
        return x

    def forward(self):
        p, (cells, G) = self.p, self.control.shape
        base = F.relu(self.norm(F.embedding(self.index, p["gene_emb.weight"], max_norm=1.0), "bn_emb"))
        place = F.embedding(self.index, p["emb_pos.weight"], max_norm=1.0)
        place = self.near(place, p["layers_emb_pos.0.lin.weight"], p["layers_emb_pos.0.lin.bias"])
        base = self.mlp(base + 0.2 * place, "emb_trans_v2", 2)
        every = torch.arange(p["pert_emb.weight"].shape[0])
        pert = F.embedding(every, p["pert_emb.weight"], max_norm=1.0)
        pert = self.go(pert, p["sim_layers.0.lin.weight"], p["sim_layers.0.lin.bias"])
        there = (self.pert >= 0).float()[..., None]
        total = self.mlp((pert[self.pert.clamp(min=0)] * there).sum(1), "pert_fuse", 2)
        base = base.reshape(cells, G, -1) + total[:, None]
        base = F.relu(self.norm(base.reshape(cells * G, -1), "bn_pert_base"))
        out = self.mlp(base, "recovery_w", 2).reshape(cells, G, -1)
        out = (out[..., None] * p["indv_w1"]).sum(2) + p["indv_b1"]  # (cells, G, 1)
        state = self.mlp(out.reshape(cells, G), "cross_gene_state", 2)
        state = state.repeat(1, G).reshape(cells, G, -1)
        out = (torch.cat([out, state], 2) * p["indv_w2"]).sum(2) + p["indv_b2"]
        return out.reshape(cells, G) + self.control

    def loss(self):
        y, total = self.forward(), 0.0
        for i in range(len(y)):  # a condition each
            a, b = y[i : i + 1], self.truth[i : i + 1]
            total = total + ((a - b) ** 4).sum() / a.numel()
            sign = torch.sign(b - self.reference) - torch.sign(a - self.reference)
            total = total + 0.1 * (sign**2).sum() / a.numel()
        return total / len(y)

    def prepare(self):
        self.optimizer = torch.optim.Adam(self.p.values(), lr=1e-3, weight_decay=5e-4)

    def step(self):
        self.optimizer.zero_grad()
        loss = self.loss()
        loss.backward()
        torch.nn.utils.clip_grad_value_(self.p.values(), 1.0)
        self.optimizer.step()
        return loss.item()


class Icnn:
    def __init__(self, state, net):
        self.w = [torch.nn.Parameter(state[k]) for k in sorted(state) if k.startswith(f"{net}.W")]
        self.a = [torch.nn.Parameter(state[k]) for k in sorted(state) if k.startswith(f"{net}.A") and k.endswith("weight")]
        self.b = [torch.nn.Parameter(state[k]) for k in sorted(state) if k.startswith(f"{net}.A") and k.endswith("bias")]

    def parameters(self):
        return self.w + self.a + self.b

    def __call__(self, x):
        z = F.leaky_relu(F.linear(x, self.a[0], self.b[0]), 0.2)
        z = z * z
        for w, a, b in zip(self.w[:-1], self.a[1:-1], self.b[1:-1]):
            z = F.leaky_relu(F.linear(z, w) + F.linear(x, a, b), 0.2)
        return F.linear(z, self.w[-1]) + F.linear(x, self.a[-1], self.b[-1])

    def transport(self, x):
        return torch.autograd.grad(self(x), x, grad_outputs=torch.ones(len(x), 1), create_graph=True)[0]


class Cellot:
    def __init__(self):
        state = load_file(f"{folder}/{what}-weights.safetensors")
        self.f, self.g, self.at = Icnn(state, "f"), Icnn(state, "g"), 0
        self.source, self.target = take("source").t().contiguous(), take("target").t().contiguous()

    def prepare(self):
        self.opt_f, self.opt_g = (torch.optim.Adam(n.parameters(), lr=1e-4, betas=(0.5, 0.9)) for n in (self.f, self.g))

    def step(self):
        source, inner = self.source.clone().requires_grad_(True), self.at % 11 < 10
        moved = self.g.transport(source)
        self.at += 1
        if inner:
            self.opt_g.zero_grad()
            loss = (self.f(moved) - (source * moved).sum(1, keepdim=True)).mean()
            (loss + sum(F.relu(-w).norm(p="fro") for w in self.g.w)).backward()
            self.opt_g.step()
            return loss.item()
        self.opt_f.zero_grad()
        loss = self.f(self.target).mean() - self.f(moved.detach()).mean()
        loss.backward()
        self.opt_f.step()
        for w in self.f.w:
            w.data.clamp_(min=0)
        return loss.item()


before = memory("VmRSS")
model = {"gears": Gears, "cellot": Cellot}[what]()
model.prepare()
first = model.step()
for _ in range(10 if what == "cellot" else 0):
    model.step()
started, cpu = time.perf_counter(), time.process_time()
for _ in range(steps):
    last = model.step()
wall, cpu = (time.perf_counter() - started) / steps, (time.process_time() - cpu) / steps
print("torch", what, f"{wall:.4g}", f"{cpu:.4g}", memory("VmHWM") - before, f"{first:.7g}", f"{last:.7g}", sep=",")
