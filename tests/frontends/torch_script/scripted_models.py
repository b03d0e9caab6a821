"""Models that are scripted, traced and read: `test_scripts_agree` holds what was saved against their source."""

import torch
import torch.nn.functional as F
from torch import nn


class PostNorm(nn.Module):
    def __init__(self, d: int = 16, heads: int = 2):
        super().__init__()
        self.attn = nn.MultiheadAttention(d, heads, dropout=0.1, batch_first=True)
        self.n1 = nn.LayerNorm(d)
        self.up = nn.Linear(d, 4 * d)
        self.down = nn.Linear(4 * d, d)
        self.n2 = nn.LayerNorm(d)
        self.drop = nn.Dropout(0.1)

    def forward(self, x):
        x = self.n1(x + self.drop(self.attn(x, x, x, need_weights=False)[0]))
        return self.n2(x + self.drop(self.down(F.relu(self.up(x)))))


class PreNorm(nn.Module):
    def __init__(self, d: int = 16, heads: int = 2):
        super().__init__()
        self.heads = heads
        self.n1 = nn.LayerNorm(d)
        self.qkv = nn.Linear(d, 3 * d)
        self.out = nn.Linear(d, d)
        self.n2 = nn.LayerNorm(d)
        self.mlp = nn.Sequential(nn.Linear(d, 4 * d), nn.GELU(), nn.Linear(4 * d, d))
        self.drop = nn.Dropout(0.1)

    def forward(self, x):
        b, s, d = x.shape
        q, k, v = self.qkv(self.n1(x)).chunk(3, dim=-1)
        q = q.view(b, s, self.heads, d // self.heads).transpose(1, 2)
        k = k.view(b, s, self.heads, d // self.heads).transpose(1, 2)
        v = v.view(b, s, self.heads, d // self.heads).transpose(1, 2)
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.drop(self.out(a.transpose(1, 2).reshape(b, s, d)))
        return x + self.drop(self.mlp(self.n2(x)))


class Gated(nn.Module):
    def __init__(self, d: int = 16):
        super().__init__()
        self.gate = nn.Linear(d, 32, bias=False)
        self.up = nn.Linear(d, 32, bias=False)
        self.down = nn.Linear(32, d, bias=False)

    def forward(self, x):
        return self.down(F.silu(self.gate(x)) * self.up(x))


class RMS(nn.Module):
    def __init__(self, d: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d))
        self.eps = 1e-6

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps))


def rotated(x: torch.Tensor) -> torch.Tensor:
    a, b = x.chunk(2, dim=-1)
    return torch.cat((-b, a), dim=-1)


class Rotary(nn.Module):
    def __init__(self, d: int = 16, heads: int = 2):
        super().__init__()
        self.heads = heads
        self.size = d // heads
        self.norm = RMS(d)
        self.q = nn.Linear(d, d, bias=False)
        self.k = nn.Linear(d, d, bias=False)
        self.v = nn.Linear(d, d, bias=False)
        self.o = nn.Linear(d, d, bias=False)
        self.ff = Gated(d)
        self.norm2 = RMS(d)

    def forward(self, x):
        b, s, d = x.shape
        h = self.norm(x)
        q = self.q(h).view(b, s, self.heads, self.size).transpose(1, 2)
        k = self.k(h).view(b, s, self.heads, self.size).transpose(1, 2)
        v = self.v(h).view(b, s, self.heads, self.size).transpose(1, 2)
        freqs = 1.0 / (10000.0 ** (torch.arange(0, self.size, 2).float() / self.size))
        angles = torch.outer(torch.arange(s).float(), freqs)
        angles = torch.cat((angles, angles), dim=-1)
        cos, sin = angles.cos(), angles.sin()
        q = q * cos + rotated(q) * sin
        k = k * cos + rotated(k) * sin
        w = torch.softmax(q @ k.transpose(-2, -1) * self.size**-0.5, dim=-1)
        x = x + self.o((w @ v).transpose(1, 2).reshape(b, s, d))
        return x + self.ff(self.norm2(x))


class Block(nn.Module):
    def __init__(self, c: int, d: int, stride: int = 1):
        super().__init__()
        self.c1 = nn.Conv2d(c, d, 3, stride=stride, padding=1, bias=False)
        self.b1 = nn.BatchNorm2d(d)
        self.c2 = nn.Conv2d(d, d, 3, padding=1, bias=False)
        self.b2 = nn.BatchNorm2d(d)
        self.act = nn.ReLU(inplace=True)
        self.down = nn.Sequential(nn.Conv2d(c, d, 1, stride=stride, bias=False), nn.BatchNorm2d(d))

    def forward(self, x):
        h = self.act(self.b1(self.c1(x)))
        h = self.b2(self.c2(h))
        return self.act(h + self.down(x))


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 7, stride=2, padding=3, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.one = Block(8, 8)
        self.two = Block(8, 16, 2)
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        x = self.pool(F.relu(self.norm(self.stem(x))))
        x = self.two(self.one(x))
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, (1, 1)), 1))


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, padding=1)
        self.b = nn.Conv2d(8, 16, 3, padding=1)
        self.up = nn.ConvTranspose2d(16, 8, 2, stride=2)
        self.c = nn.Conv2d(16, 8, 3, padding=1)
        self.out = nn.Conv2d(8, 1, 1)

    def forward(self, x):
        a = torch.relu(self.a(x))
        b = torch.relu(self.b(F.max_pool2d(a, 2)))
        return self.out(torch.relu(self.c(torch.cat([self.up(b), a], dim=1))))


class Cell(nn.Module):
    def __init__(self, d: int = 8, h: int = 12):
        super().__init__()
        self.x = nn.Linear(d, 4 * h)
        self.h = nn.Linear(h, 4 * h)

    def forward(self, x, h, c):
        i, f, g, o = (self.x(x) + self.h(h)).chunk(4, dim=-1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


class Grouped(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.SiLU(), nn.Conv2d(8, 8, 3, groups=8, padding=1)
        )

    def forward(self, x):
        return self.layers(x)


class Experts(nn.Module):
    def __init__(self, d: int = 8, n: int = 4):
        super().__init__()
        self.router = nn.Linear(d, n, bias=False)
        self.experts = nn.ModuleList([nn.Linear(d, d) for _ in range(n)])

    def forward(self, x):
        weights, chosen = torch.topk(torch.softmax(self.router(x), dim=-1), 2, dim=-1)
        y = torch.zeros_like(x)
        for at, expert in enumerate(self.experts):
            share = (weights * (chosen == at)).sum(-1, keepdim=True)
            y = y + share * expert(x)
        return y


class Tied(nn.Module):
    def __init__(self, vocab: int = 11, d: int = 16):
        super().__init__()
        self.tok = nn.Embedding(vocab, d)
        self.pos = nn.Embedding(32, d)
        self.layers = nn.ModuleList([PreNorm(d) for _ in range(2)])
        self.norm = nn.LayerNorm(d)
        self.head = nn.Linear(d, vocab, bias=False)
        self.head.weight = self.tok.weight

    def forward(self, ids):
        x = self.tok(ids) + self.pos(torch.arange(ids.shape[1]))
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x))


class Switched(nn.Module):
    """What a script keeps and a trace does not: a setting, a loop over layers, another way in eval mode."""

    def __init__(self, d: int = 8, pre: bool = True):
        super().__init__()
        self.pre = pre
        self.norm = nn.LayerNorm(d)
        self.layers = nn.ModuleList([nn.Linear(d, d) for _ in range(3)])

    def forward(self, x):
        if self.pre:
            x = self.norm(x)
        kept: list[torch.Tensor] = []
        for layer in self.layers:
            x = F.dropout(torch.tanh(layer(x)), 0.2, training=self.training)
            kept.append(x)
        if not self.pre:
            x = self.norm(x)
        return torch.cat(kept, dim=-1)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1, activation="gelu", batch_first=True)

    def forward(self, x):
        return self.layer(x)


class Cross(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn = nn.MultiheadAttention(16, 2)

    def forward(self, x, memory):
        return x + self.attn(x, memory, memory, need_weights=False)[0]


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.e = nn.Embedding(9, 8, padding_idx=0)
        self.r = nn.LSTM(8, 12, num_layers=2, batch_first=True, dropout=0.3)
        self.o = nn.Linear(12, 9)

    def forward(self, ids):
        y, _ = self.r(self.e(ids))
        return self.o(y[:, -1])


class Update(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(8, 8)

    def forward(self, x):
        y = torch.zeros_like(x)
        y[:, 0] = self.l(x)[:, 0]
        y[:, 1:2] = 3.0
        y = torch.relu_(y.clone())
        y += x
        return y


class Masked(nn.Module):
    def __init__(self, d: int = 16, heads: int = 2, longest: int = 32):
        super().__init__()
        self.heads, self.d = heads, d
        self.qkv = nn.Linear(d, 3 * d)
        self.out = nn.Linear(d, d)
        self.drop = nn.Dropout(0.1)
        self.register_buffer("mask", torch.tril(torch.ones(longest, longest)).view(1, 1, longest, longest))

    def forward(self, x):
        b, s, d = x.size()
        q, k, v = self.qkv(x).split(self.d, dim=2)
        q = q.view(b, s, self.heads, d // self.heads).transpose(1, 2)
        k = k.view(b, s, self.heads, d // self.heads).transpose(1, 2)
        v = v.view(b, s, self.heads, d // self.heads).transpose(1, 2)
        w = (q @ k.transpose(-2, -1)) * (1.0 / (d // self.heads) ** 0.5)
        w = w.masked_fill(self.mask[:, :, :s, :s] == 0, float("-inf"))
        y = self.drop(F.softmax(w, dim=-1)) @ v
        return x + self.out(y.transpose(1, 2).contiguous().view(b, s, d))
