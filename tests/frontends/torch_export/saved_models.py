"""Models that are saved, traced and read: `test_agreement` holds the three against each other."""

import torch
import torch.nn.functional as F
from torch import nn


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(8, 16)
        self.b = nn.Linear(16, 8)
        self.n = nn.LayerNorm(8)
        self.d = nn.Dropout(0.1)
        self.scale = nn.Parameter(torch.ones(8))

    def forward(self, x):
        h = self.d(self.b(F.gelu(self.a(x), approximate="tanh")))
        return self.n(x + h * self.scale) * 2.0


class Res(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1 = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.b1 = nn.BatchNorm2d(4)
        self.c2 = nn.Conv2d(4, 4, 3, padding=1)
        self.b2 = nn.BatchNorm2d(4)
        self.act = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(4, 10)

    def forward(self, x):
        h = self.act(self.b1(self.c1(x)))
        h = self.b2(self.c2(h))
        h += x
        h = self.pool(self.act(h))
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(h, 1), 1))


class PreNorm(nn.Module):
    def __init__(self, d=16, heads=2):
        super().__init__()
        self.heads = heads
        self.n1 = nn.LayerNorm(d)
        self.qkv = nn.Linear(d, 3 * d)
        self.out = nn.Linear(d, d)
        self.n2 = nn.LayerNorm(d)
        self.up = nn.Linear(d, 4 * d)
        self.down = nn.Linear(4 * d, d)
        self.drop = nn.Dropout(0.1)

    def forward(self, x):
        b, s, d = x.shape
        q, k, v = self.qkv(self.n1(x)).chunk(3, dim=-1)
        q = q.view(b, s, self.heads, d // self.heads).transpose(1, 2)
        k = k.view(b, s, self.heads, d // self.heads).transpose(1, 2)
        v = v.view(b, s, self.heads, d // self.heads).transpose(1, 2)
        a = F.scaled_dot_product_attention(q, k, v, dropout_p=0.1 if self.training else 0.0, is_causal=True)
        x = x + self.drop(self.out(a.transpose(1, 2).reshape(b, s, d)))
        return x + self.drop(self.down(F.relu(self.up(self.n2(x)))))


class Manual(nn.Module):
    def __init__(self, d=16, heads=2):
        super().__init__()
        self.h = heads
        self.q = nn.Linear(d, d)
        self.k = nn.Linear(d, d)
        self.v = nn.Linear(d, d)
        self.o = nn.Linear(d, d)
        self.norm = nn.LayerNorm(d)
        self.drop = nn.Dropout(0.2)

    def forward(self, x, mask):
        b, s, d = x.shape
        q = self.q(x).view(b, s, self.h, -1).transpose(1, 2)
        k = self.k(x).view(b, s, self.h, -1).transpose(1, 2)
        v = self.v(x).view(b, s, self.h, -1).transpose(1, 2)
        scores = (q @ k.transpose(-2, -1)) / (d // self.h) ** 0.5
        scores = scores.masked_fill(mask == 0, -1e9)
        w = self.drop(scores.softmax(dim=-1))
        y = (w @ v).transpose(1, 2).contiguous().view(b, s, d)
        return self.norm(x + self.o(y))


class RMS(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d))

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))


class Gated(nn.Module):
    def __init__(self, d=16):
        super().__init__()
        self.norm = RMS(d)
        self.gate = nn.Linear(d, 32, bias=False)
        self.up = nn.Linear(d, 32, bias=False)
        self.down = nn.Linear(32, d, bias=False)

    def forward(self, x):
        h = self.norm(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class LM(nn.Module):
    def __init__(self, vocab=11, d=16, n=2):
        super().__init__()
        self.tok = nn.Embedding(vocab, d)
        self.pos = nn.Embedding(32, d)
        self.layers = nn.ModuleList([PreNorm(d) for _ in range(n)])
        self.norm = nn.LayerNorm(d)
        self.head = nn.Linear(d, vocab, bias=False)
        self.head.weight = self.tok.weight

    def forward(self, input_ids):
        positions = torch.arange(input_ids.shape[1])
        x = self.tok(input_ids) + self.pos(positions)
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x))


class Slices(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(8, 8)

    def forward(self, x):
        x = self.l(x)
        a = x[..., :4]
        b = x[:, :, 4:]
        c = x[:, 0]
        y = torch.cat([a * 2, -b], dim=-1)
        return y + c.unsqueeze(1), x[:, None, 1:3], x[0]


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


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn = nn.MultiheadAttention(16, 2, dropout=0.1, batch_first=True)
        self.norm = nn.LayerNorm(16)

    def forward(self, x):
        y, _ = self.attn(x, x, x, need_weights=False)
        return self.norm(x + y)


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


class Norms(nn.Module):
    def __init__(self):
        super().__init__()
        self.g = nn.GroupNorm(2, 8)
        self.r = nn.RMSNorm(8)
        self.w = nn.Parameter(torch.ones(8, 8))
        self.k = nn.Parameter(torch.ones(8, 8, 3))
        self.t = nn.ConvTranspose1d(8, 8, 3, stride=2)

    def forward(self, x):
        x = self.g(x.transpose(1, 2)).transpose(1, 2)
        x = F.linear(self.r(x), self.w)
        x = F.conv1d(x.transpose(1, 2), self.k, padding=1)
        return F.normalize(self.t(x), dim=-1)
