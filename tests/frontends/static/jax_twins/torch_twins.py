"""Layers as PyTorch writes them; their twins stand beside this file. They are read, not run."""

import torch
import torch.nn.functional as F
from torch import nn


class Attend(nn.Module):
    def __init__(self, d=512, heads=8):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.o = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)

    def forward(self, x):
        b, s, d = x.shape
        q, k, v = (f(x).view(b, s, self.heads, 64).transpose(1, 2) for f in (self.q, self.k, self.v))
        weights = torch.softmax(q @ k.transpose(-2, -1) / 8, dim=-1)
        return self.o((weights @ v).transpose(1, 2).reshape(b, s, d))


class Feed(nn.Module):
    def __init__(self, d=512, f=2048):
        super().__init__()
        self.up, self.down = nn.Linear(d, f), nn.Linear(f, d)

    def forward(self, x):
        return self.down(F.relu(self.up(x)))


class Gated(nn.Module):
    def __init__(self, d=512, f=1376):
        super().__init__()
        self.gate, self.up, self.down = (
            nn.Linear(d, f, bias=False),
            nn.Linear(d, f, bias=False),
            nn.Linear(f, d, bias=False),
        )

    def forward(self, x):
        return self.down(F.silu(self.gate(x)) * self.up(x))


class PostNorm(nn.Module):
    def __init__(self, d=512):
        super().__init__()
        self.attend, self.feed = Attend(d), Feed(d)
        self.one, self.two = nn.LayerNorm(d, eps=1e-6), nn.LayerNorm(d, eps=1e-6)
        self.drop = nn.Dropout(0.1)

    def forward(self, x):
        x = self.one(x + self.drop(self.attend(x)))
        return self.two(x + self.drop(self.feed(x)))


class PreNorm(PostNorm):
    def forward(self, x):
        x = x + self.drop(self.attend(self.one(x)))
        return x + self.drop(self.feed(self.two(x)))


class Sandwich(PostNorm):
    def __init__(self, d=512):
        super().__init__(d)
        self.three, self.four = nn.LayerNorm(d, eps=1e-6), nn.LayerNorm(d, eps=1e-6)

    def forward(self, x):
        x = x + self.three(self.attend(self.one(x)))
        return x + self.four(self.feed(self.two(x)))


class Parallel(PostNorm):
    def forward(self, x):
        h = self.one(x)
        return x + self.attend(h) + self.feed(h)


def turn(x, cos, sin):
    one, two = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-two, one), dim=-1) * sin


class Rotary(nn.Module):
    def __init__(self, d=512, heads=8):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.o = (nn.Linear(d, d, bias=False) for _ in range(4))

    def forward(self, x, cos, sin):
        b, s, d = x.shape
        q, k, v = (f(x).view(b, s, self.heads, 64).transpose(1, 2) for f in (self.q, self.k, self.v))
        q, k = turn(q, cos, sin), turn(k, cos, sin)
        weights = torch.softmax(q @ k.transpose(-2, -1) / 8, dim=-1)
        return self.o((weights @ v).transpose(1, 2).reshape(b, s, d))


class RMSNorm(nn.Module):
    def __init__(self, d=512):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(d))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.scale


class LlamaLike(nn.Module):
    def __init__(self, d=512):
        super().__init__()
        self.attend, self.feed = Rotary(d), Gated(d)
        self.one, self.two = RMSNorm(d), RMSNorm(d)

    def forward(self, x, cos, sin):
        x = x + self.attend(self.one(x), cos, sin)
        return x + self.feed(self.two(x))


class Bottleneck(nn.Module):
    first, second = 2, 1

    def __init__(self, d=256, inner=64):
        super().__init__()
        self.a = nn.Conv2d(d, inner, 1, stride=self.first, bias=False)
        self.b = nn.Conv2d(inner, inner, 3, stride=self.second, padding=1, bias=False)
        self.c = nn.Conv2d(inner, d, 1, bias=False)
        self.short = nn.Conv2d(d, d, 1, stride=2, bias=False)
        self.na, self.nb, self.nc, self.ns = (
            nn.BatchNorm2d(inner),
            nn.BatchNorm2d(inner),
            nn.BatchNorm2d(d),
            nn.BatchNorm2d(d),
        )

    def forward(self, x):
        h = F.relu(self.na(self.a(x)))
        h = F.relu(self.nb(self.b(h)))
        return F.relu(self.nc(self.c(h)) + self.ns(self.short(x)))


class BottleneckV15(Bottleneck):
    first, second = 1, 2


class Twice(nn.Module):
    def __init__(self, c, d):
        super().__init__()
        self.a, self.b = nn.Conv2d(c, d, 3, padding=1), nn.Conv2d(d, d, 3, padding=1)

    def forward(self, x):
        return F.relu(self.b(F.relu(self.a(x))))


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.middle, self.up = Twice(3, 64), Twice(64, 128), Twice(128, 64)
        self.grow = nn.ConvTranspose2d(128, 64, 2, stride=2)
        self.out = nn.Conv2d(64, 2, 1)

    def forward(self, x):
        left = self.down(x)
        low = self.middle(F.max_pool2d(left, 2))
        return self.out(self.up(torch.cat([left, self.grow(low)], dim=1)))
