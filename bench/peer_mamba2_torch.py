"""peer_mamba2_torch.py CELLS THREADS: see mamba2.sh. The mixer is Mamba2's of Dao & Gu 2024 with the scan written out twice: in
chunks of 64, as their ssd_minimal.py has it, and token by token, as their Mamba2.step() has it where there is no Triton."""
import sys, time
import torch
from torch import nn
from torch.nn import functional as F

cells, threads = (int(v) for v in sys.argv[1:3])
torch.set_num_threads(threads)
torch.manual_seed(1)
D, INNER, HEADS, P, N, LAYERS, LENGTH = 512, 1024, 16, 64, 128, 6, 1200


def segsum(x):
    t = x.size(-1)
    x = x.unsqueeze(-1).expand(*x.shape, t)
    x = x.masked_fill(~torch.tril(torch.ones(t, t, dtype=bool), -1), 0)
    s = torch.cumsum(x, dim=-2)
    return s.masked_fill(~torch.tril(torch.ones(t, t, dtype=bool)), -torch.inf)


def chunked(x, a, b, c, size=64):
    """x (batch, length, heads, P) times dt; a (batch, length, heads): dt A; b, c (batch, length, 1, N)."""
    batch, length = a.shape[:2]
    short = -length % size
    x, a, b, c = (F.pad(v, (0, 0) * (v.dim() - 2) + (0, short)) for v in (x, a, b, c))
    x, b, c = (v.reshape(batch, -1, size, *v.shape[2:]) for v in (x, b.expand(-1, -1, HEADS, -1), c.expand(-1, -1, HEADS, -1)))
    a = a.reshape(batch, -1, size, HEADS).permute(0, 3, 1, 2)
    sums = torch.cumsum(a, dim=-1)
    y = torch.einsum("bclhn,bcshn,bhcls,bcshp->bclhp", c, b, torch.exp(segsum(a)), x)
    states = torch.einsum("bclhn,bhcl,bclhp->bchpn", b, torch.exp(sums[..., -1:] - sums), x)
    states = torch.cat([torch.zeros_like(states[:, :1]), states], dim=1)
    carry = torch.exp(segsum(F.pad(sums[..., -1], (1, 0))))
    states = torch.einsum("bhzc,bchpn->bzhpn", carry, states)[:, :-1]
    y = y + torch.einsum("bclhn,bchpn,bhcl->bclhp", c, states, torch.exp(sums))
    return y.reshape(batch, -1, HEADS, P)[:, :length]


def stepped(x, a, b, c):
    state, out = torch.zeros(x.shape[0], HEADS, P, N), []
    decay = torch.exp(a)
    for t in range(x.shape[1]):
        state = state * decay[:, t, :, None, None] + x[:, t].unsqueeze(-1) * b[:, t].unsqueeze(-2)
        out.append(torch.einsum("bhpn,bn->bhp", state, c[:, t, 0]))
    return torch.stack(out, 1)


class Mixer(nn.Module):
    def __init__(self, scan):
        super().__init__()
        self.scan = scan
        self.into, self.out = nn.Linear(D, 2 * INNER + 2 * N + HEADS, bias=False), nn.Linear(INNER, D, bias=False)
        self.conv = nn.Conv1d(INNER + 2 * N, INNER + 2 * N, 4, groups=INNER + 2 * N, padding=3)
        self.dt_bias, self.a_log, self.skip = nn.Parameter(torch.full((HEADS,), -3.0)), nn.Parameter(torch.zeros(HEADS)), nn.Parameter(torch.ones(HEADS))
        self.norm = nn.Parameter(torch.ones(INNER))

    def forward(self, u):
        z, xbc, dt = self.into(u).split([INNER, INNER + 2 * N, HEADS], -1)
        dt = F.softplus(dt + self.dt_bias)
        xbc = F.silu(self.conv(xbc.mT)[..., :u.shape[1]].mT)
        x, b, c = xbc.split([INNER, N, N], -1)
        x = x.unflatten(-1, (HEADS, P))
        y = self.scan(x * dt.unsqueeze(-1), -torch.exp(self.a_log) * dt, b.unsqueeze(2), c.unsqueeze(2))
        y = (y + x * self.skip[:, None]).flatten(-2) * F.silu(z)
        return self.out(F.rms_norm(y, (INNER,), self.norm, 1e-5))


class Encoder(nn.Module):
    """Bidirectional, both directions by the same weights, added."""

    def __init__(self, scan):
        super().__init__()
        self.mixers = nn.ModuleList([Mixer(scan) for _ in range(LAYERS)])
        self.norms = nn.ModuleList([nn.LayerNorm(D) for _ in range(LAYERS)])

    def forward(self, x):
        for norm, mixer in zip(self.norms, self.mixers):
            u = norm(x)
            x = x + mixer(u) + mixer(u.flip(1)).flip(1)
        return x[:, 0]


x = torch.randn(cells, LENGTH, D)
nets = {"chunks of 64": Encoder(chunked).eval(), "token by token": Encoder(stepped).eval()}
nets["token by token"].load_state_dict(nets["chunks of 64"].state_dict())
with torch.inference_mode():
    a, b = (net(x[:1, :200]) for net in nets.values())
    assert (a - b).abs().max() < 1e-3 * b.abs().max(), "the two scans differ"
    for name, net in nets.items():
        start = time.time()
        torch.cat([net(x[i:i + 2]) for i in range(0, cells, 2)])
        print(f"PyTorch Mamba2, {name}: {time.time() - start:.2f} s for {cells} cells x 1,200 tokens")
