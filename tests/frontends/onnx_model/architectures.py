"""Architectures that are exported and read: `test_agreement` holds the graphs against each other."""

import torch
import torch.nn.functional as F
from torch import nn


class Attention(nn.Module):
    def __init__(self, d=16, heads=2):
        super().__init__()
        self.heads, self.size = heads, d // heads
        self.q, self.k, self.v, self.o = (nn.Linear(d, d) for _ in range(4))

    def split(self, x):
        b, s, _ = x.shape
        return x.view(b, s, self.heads, self.size).transpose(1, 2)

    def forward(self, x):
        b, s, d = x.shape
        q, k, v = self.split(self.q(x)), self.split(self.k(x)), self.split(self.v(x))
        scores = torch.softmax(q @ k.transpose(-2, -1) / self.size**0.5, dim=-1)
        return self.o((scores @ v).transpose(1, 2).reshape(b, s, d))


class FeedForward(nn.Module):
    def __init__(self, d=16):
        super().__init__()
        self.up, self.down = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x):
        return self.down(F.gelu(self.up(x)))


class Block(nn.Module):
    def __init__(self, d=16):
        super().__init__()
        self.attention, self.ffn = Attention(d), FeedForward(d)
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.drop = nn.Dropout(0.1)


class PostNorm(Block):
    def forward(self, x):
        x = self.norm1(x + self.drop(self.attention(x)))
        return self.norm2(x + self.drop(self.ffn(x)))


class PreNorm(Block):
    def forward(self, x):
        x = x + self.drop(self.attention(self.norm1(x)))
        return x + self.drop(self.ffn(self.norm2(x)))


class Sandwich(Block):
    def __init__(self, d=16):
        super().__init__(d)
        self.norm3, self.norm4 = nn.LayerNorm(d), nn.LayerNorm(d)

    def forward(self, x):
        x = x + self.norm3(self.attention(self.norm1(x)))
        return x + self.norm4(self.ffn(self.norm2(x)))


class Parallel(Block):
    def forward(self, x):
        y = self.norm1(x)
        return x + self.attention(y) + self.ffn(y)


class RMSNorm(nn.Module):
    def __init__(self, d=16):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d))

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))


class Gated(nn.Module):
    def __init__(self, d=16):
        super().__init__()
        self.gate, self.up, self.down = (
            nn.Linear(d, 32, bias=False),
            nn.Linear(d, 32, bias=False),
            nn.Linear(32, d, bias=False),
        )
        self.norm = nn.LayerNorm(d)

    def forward(self, x):
        y = self.norm(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


class Rotary(nn.Module):
    def __init__(self, d=16, heads=2):
        super().__init__()
        self.heads, self.size = heads, d // heads
        self.q, self.k, self.v, self.o = (nn.Linear(d, d, bias=False) for _ in range(4))
        self.norm = RMSNorm(d)
        self.register_buffer("inv_freq", 10000.0 ** (-torch.arange(0, self.size, 2).float() / self.size))

    def turned(self, x, cos, sin):
        left, right = x[..., : self.size // 2], x[..., self.size // 2 :]
        return x * cos + torch.cat((-right, left), -1) * sin

    def forward(self, x):
        b, s, d = x.shape
        y = self.norm(x)
        q, k, v = (one(y).view(b, s, self.heads, self.size).transpose(1, 2) for one in (self.q, self.k, self.v))
        angles = torch.arange(s, dtype=torch.float32)[:, None] * self.inv_freq[None, :]
        angles = torch.cat((angles, angles), -1)
        q, k = self.turned(q, angles.cos(), angles.sin()), self.turned(k, angles.cos(), angles.sin())
        scores = torch.softmax(q @ k.transpose(-2, -1) * self.size**-0.5, dim=-1)
        return x + self.o((scores @ v).transpose(1, 2).reshape(b, s, d))


class Bottleneck(nn.Module):
    """The stride lies in the first convolution, or in the second (v1.5)."""

    def __init__(self, inside, width, first, second):
        super().__init__()
        self.conv1 = nn.Conv2d(inside, width, 1, stride=first, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, stride=second, padding=1, bias=False)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn1, self.bn2, self.bn3 = nn.BatchNorm2d(width), nn.BatchNorm2d(width), nn.BatchNorm2d(4 * width)
        self.short = nn.Conv2d(inside, 4 * width, 1, stride=first * second, bias=False)
        self.norm = nn.BatchNorm2d(4 * width)

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.norm(self.short(x)))


class ResNet(nn.Module):
    strides = (2, 1)

    def __init__(self):
        super().__init__()
        self.stem, self.norm, self.pool = nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8), nn.MaxPool2d(3, 2, 1)
        self.one, self.two = Bottleneck(8, 4, 1, 1), Bottleneck(16, 8, *self.strides)
        self.head = nn.Linear(32, 10)

    def forward(self, x):
        x = self.pool(F.relu(self.norm(self.stem(x))))
        x = self.two(self.one(x))
        return self.head(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


class ResNet15(ResNet):
    strides = (1, 2)


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1, self.down2 = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 16, 3, padding=1)
        self.up = nn.ConvTranspose2d(16, 8, 2, stride=2)
        self.join, self.out = nn.Conv2d(16, 8, 3, padding=1), nn.Conv2d(8, 2, 1)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        one = F.relu(self.down1(x))
        two = F.relu(self.down2(self.pool(one)))
        return self.out(F.relu(self.join(torch.cat([one, self.up(two)], dim=1))))
