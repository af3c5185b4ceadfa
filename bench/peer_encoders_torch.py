"""peer_encoders_torch.py CELLS PEAKS THREADS: the same sizes in PyTorch, random weights; see encoders.sh. The encoder of scGPT is
torch.nn.TransformerEncoder (its fast path for inference on); HyenaDNA's operator is written as published, FFT of 2 L."""
import resource, sys, time
import torch
from torch import nn

cells, peaks, threads = (int(v) for v in sys.argv[1:4])
torch.set_num_threads(threads)
torch.manual_seed(1)


def memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Embed(nn.Module):
    def __init__(self, vocab, d):
        super().__init__()
        self.table, self.norm = nn.Embedding(vocab, d), nn.LayerNorm(d)
        self.value = nn.Sequential(nn.Linear(1, d), nn.ReLU(), nn.Linear(d, d), nn.LayerNorm(d))

    def forward(self, ids, values):
        return self.norm(self.table(ids)) + self.value(values.unsqueeze(-1))


def scgpt():
    d = 512
    embed = Embed(3003, d).eval()
    layer = nn.TransformerEncoderLayer(d, 8, d, 0.2, batch_first=True)
    net = nn.TransformerEncoder(layer, 12).eval()
    ids = torch.randint(0, 3000, (cells, 1200))
    values = torch.randint(0, 51, (cells, 1200)).float()
    with torch.inference_mode():
        net(embed(ids[:2], values[:2]))
        before, start = memory(), time.time()
        out = [net(embed(ids[i:i + 8], values[i:i + 8]))[:, 0] for i in range(0, cells, 8)]
        nn.functional.normalize(torch.cat(out))
    print(f"PyTorch scGPT: {time.time() - start:.2f} s, {memory() - before:.0f} MB for {cells} cells x 1,200 tokens")


class Hyena(nn.Module):
    def __init__(self, d, length):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.into, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.short = nn.Conv1d(3 * d, 3 * d, 3, groups=3 * d, padding=2)
        self.filter = nn.Sequential(nn.Linear(5, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, d, bias=False))
        self.bias = nn.Parameter(torch.randn(d))
        self.register_buffer("z", torch.randn(length, 5))
        self.mlp = nn.Sequential(nn.Linear(d, 4 * d), nn.GELU(approximate="tanh"), nn.Linear(4 * d, d))

    def forward(self, x):
        n = x.shape[1]
        u = self.short(self.into(self.norm1(x)).transpose(1, 2))[..., :n]
        x0, x1, v = u.chunk(3, dim=1)
        v = v * x1
        h = torch.fft.rfft(self.filter(self.z[:n]).T, n=2 * n)
        y = torch.fft.irfft(torch.fft.rfft(v, n=2 * n) * h, n=2 * n)[..., :n] + v * self.bias.unsqueeze(-1)
        x = x + self.out((y * x0).transpose(1, 2))
        return x + self.mlp(self.norm2(x))


def hyena():
    d = 256
    table = nn.Embedding(16, d)
    net = nn.Sequential(*[Hyena(d, 1026) for _ in range(2)], nn.LayerNorm(d)).eval()
    ids = torch.randint(7, 11, (peaks, 500))
    with torch.inference_mode():
        net(table(ids[:10]))
        before, start = memory(), time.time()
        torch.cat([net(table(ids[i:i + 64])).mean(1) for i in range(0, peaks, 64)])
    print(f"PyTorch HyenaDNA: {time.time() - start:.2f} s, {memory() - before:.0f} MB for {peaks} peaks of 500 bases")


scgpt()
hyena()
