"""Read by bench_depth, never imported: DeepNet's encoder (wang2022), whose residual is multiplied by a constant."""

import torch
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.queries = nn.Linear(width, width)
        self.keys = nn.Linear(width, width)
        self.values = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def split(self, x):
        batch, length, width = x.shape
        return x.view(batch, length, self.heads, width // self.heads).transpose(1, 2)

    def forward(self, x):
        batch, length, width = x.shape
        q, k, v = self.split(self.queries(x)), self.split(self.keys(x)), self.split(self.values(x))
        scores = torch.matmul(q, k.transpose(-2, -1)) / (width // self.heads) ** 0.5
        mixed = torch.matmul(torch.softmax(scores, dim=-1), v)
        return self.output(mixed.transpose(1, 2).reshape(batch, length, width))


class FeedForward(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.up = nn.Linear(width, inner)
        self.down = nn.Linear(inner, width)

    def forward(self, x):
        return self.down(torch.relu(self.up(x)))


class Layer(nn.Module):
    def __init__(self, width, inner, heads, alpha):
        super().__init__()
        self.alpha = alpha
        self.attention = SelfAttention(width, heads)
        self.attention_norm = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width, inner)
        self.feed_forward_norm = nn.LayerNorm(width)

    def forward(self, x):
        x = self.attention_norm(x * self.alpha + self.attention(x))
        return self.feed_forward_norm(x * self.alpha + self.feed_forward(x))


class Encoder(nn.Module):
    def __init__(self, layers=18, width=512, inner=2048, heads=8):
        super().__init__()
        alpha = (2 * layers) ** 0.25
        self.layers = nn.ModuleList([Layer(width, inner, heads, alpha) for _ in range(layers)])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x
