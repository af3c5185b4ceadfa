"""peer_encoders_torch.py CELLS PEAKS THREADS [write FOLDER]: the same sizes in PyTorch, random weights; see encoders.sh. The encoder of scGPT is
torch.nn.TransformerEncoder (its fast path for inference on); HyenaDNA's operator is written as published, FFT of 2 L. With write: BERT-base's weights, random, and a
vocabulary into FOLDER, for both sides, and nothing else."""
import json, os, resource, sys, time
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
    before = memory()
    with torch.inference_mode():
        net(embed(ids[:2], values[:2]))
        start = time.time()
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
    before = memory()
    with torch.inference_mode():
        net(table(ids[:10]))
        start = time.time()
        torch.cat([net(table(ids[i:i + 64])).mean(1) for i in range(0, peaks, 64)])
    print(f"PyTorch HyenaDNA: {time.time() - start:.2f} s, {memory() - before:.0f} MB for {peaks} peaks of 500 bases")


class Retention(nn.Module):
    """CellFM's layer as in its PyTorch port: gated linear attention, bilinear network, DeepNorm."""

    def __init__(self, d, heads, layers):
        super().__init__()
        self.heads, self.alpha = heads, (2 * layers) ** 0.25
        self.q, self.k, self.v, self.u, self.o, self.fu, self.fv, self.fo = (nn.Linear(d, d, bias=False) for _ in range(8))
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)

    def split(self, x):
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)

    def forward(self, x, mask, scale):
        root = (x.shape[-1] // self.heads) ** 0.5
        q, k = self.split(torch.relu(self.q(x))) / root, self.split(torch.relu(self.k(x)) * mask) / root
        o = q @ (k.transpose(-1, -2) @ (self.split(self.v(x)) * scale))
        o = nn.functional.normalize(o / root, dim=-1).mul(root).transpose(1, 2).reshape(x.shape)
        x = self.norm1(self.alpha * x + self.o(o * nn.functional.silu(self.u(x))))
        return self.norm2(self.alpha * x + self.fo(self.fu(x) * self.fv(x)))


class CellFM(nn.Module):
    def __init__(self, genes=2048, d=1536, hidden=256, layers=2):
        super().__init__()
        self.table = nn.Embedding((genes + 8) // 8 * 8, d)
        self.w1, self.w3, self.w = nn.Linear(1, hidden, bias=False), nn.Linear(hidden, hidden, bias=False), nn.Linear(hidden, d, bias=False)
        self.a, self.cls, self.masked = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.randn(1, 1, d)), nn.Parameter(torch.zeros(d))
        self.layers = nn.ModuleList([Retention(d, 48, layers) for _ in range(layers)])
        self.d1, self.d2, self.map = nn.Linear(d, d, bias=False), nn.Linear(d, 1, bias=False), nn.Linear(d, d, bias=False)

    def forward(self, ids, values, seen):
        v = nn.functional.leaky_relu(self.w1(values.unsqueeze(-1)), 0.2)
        v = self.w(torch.softmax(self.w3(v) + self.a * v, -1))
        seen = seen.unsqueeze(-1)
        x = self.table(ids) + v * seen + self.masked * (1 - seen)
        x = torch.cat([self.cls.expand(len(ids), -1, -1), x], 1)
        mask = torch.cat([torch.ones_like(seen[:, :1]), seen], 1)
        for i, layer in enumerate(self.layers):
            x = layer(x, mask if i < len(self.layers) // 2 else torch.ones_like(mask), ids.shape[1] ** -0.5)
        return x

    def loss(self, ids, values, seen):
        x, judged = self(ids, values * seen, seen), 1 - seen
        told = self.d2(nn.functional.leaky_relu(self.d1(x[:, 1:]), 0.2)).squeeze(-1)
        by_cell = (torch.sigmoid(self.map(self.table(ids))) @ x[:, 0].unsqueeze(-1)).squeeze(-1)
        return sum((judged * (y - values) ** 2).sum() / judged.sum() for y in (told, by_cell))


def cellfm():
    few, net = max(2, cells // 8), CellFM()
    ids, values = torch.arange(1, 2049).repeat(few, 1), torch.rand(few, 2048) * 5
    seen = torch.ones(few, 2048)
    before = memory()
    with torch.inference_mode():
        net(ids[:2], values[:2], seen[:2])
        start = time.time()
        torch.cat([net(ids[i:i + 2], values[i:i + 2], seen[i:i + 2])[:, 0] for i in range(0, few, 2)])
    print(f"PyTorch CellFM: {time.time() - start:.2f} s, {memory() - before:.0f} MB for {few} cells x 2,048 genes")
    adam, hidden = torch.optim.Adam(net.parameters()), (torch.rand(2, 2048) > 0.2).float()

    def step():
        adam.zero_grad()
        net.loss(ids[:2], values[:2], hidden).backward()
        adam.step()

    step()
    start = time.time()
    for _ in range(3):
        step()
    print(f"PyTorch CellFM, all weights: {(time.time() - start) / 3:.2f} s a step, 2 cells")



def bert_write(folder, d=768, layers=12, hidden=3072, vocab=30522):
    """BERT-base under published names; words w0, w1, ... are whole tokens."""
    from safetensors.torch import save_file
    shapes = {"embeddings.word_embeddings.weight": (vocab, d), "embeddings.position_embeddings.weight": (512, d),
              "embeddings.token_type_embeddings.weight": (2, d), "embeddings.LayerNorm.weight": (d,),
              "embeddings.LayerNorm.bias": (d,), "pooler.dense.weight": (d, d), "pooler.dense.bias": (d,)}
    for i in range(layers):
        for name, (rows, cols) in {"attention.self.query": (d, d), "attention.self.key": (d, d),
                                   "attention.self.value": (d, d), "attention.output.dense": (d, d),
                                   "intermediate.dense": (hidden, d), "output.dense": (d, hidden)}.items():
            shapes[f"encoder.layer.{i}.{name}.weight"], shapes[f"encoder.layer.{i}.{name}.bias"] = (rows, cols), (rows,)
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes[f"encoder.layer.{i}.{name}.weight"] = shapes[f"encoder.layer.{i}.{name}.bias"] = (d,)
    os.makedirs(folder, exist_ok=True)
    save_file({k: torch.randn(v) * 0.02 + (k.endswith("LayerNorm.weight")) for k, v in shapes.items()},
              f"{folder}/model.safetensors")
    json.dump(dict(model_type="bert", vocab_size=vocab, hidden_size=d, num_hidden_layers=layers, num_attention_heads=12,
                   intermediate_size=hidden, hidden_act="gelu", max_position_embeddings=512, type_vocab_size=2,
                   layer_norm_eps=1e-12, pad_token_id=0, do_lower_case=True), open(f"{folder}/config.json", "w"))
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    open(f"{folder}/vocab.txt", "w").write("\n".join(words + [f"w{i}" for i in range(vocab - len(words))]) + "\n")


def bert(names=1000, tokens=8):
    """Encoder alone (no tokenizer), names of equal length: nothing is padded."""
    d = 768
    table = nn.Embedding(30522, d)
    layer = nn.TransformerEncoderLayer(d, 12, 3072, 0.1, "gelu", batch_first=True)
    net = nn.TransformerEncoder(layer, 12).eval()
    ids = torch.randint(5, 30000, (names, tokens))
    before = memory()
    with torch.inference_mode():
        net(table(ids[:2]))
        start = time.time()
        torch.cat([net(table(ids[i:i + 64])).mean(1) for i in range(0, names, 64)])
    print(f"PyTorch BERT-base: {time.time() - start:.2f} s, {memory() - before:.0f} MB for {names} names of {tokens} tokens")


if len(sys.argv) > 4:
    bert_write(sys.argv[5])
else:
    for model in (scgpt, hyena, cellfm, bert):  # a process each: the peak of one is not hidden by another's
        child = os.fork()
        if child == 0:
            model()
            sys.stdout.flush()
            os._exit(0)
        os.waitpid(child, 0)
