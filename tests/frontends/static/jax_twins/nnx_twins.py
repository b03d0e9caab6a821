"""Layers as Flax nnx writes them; their twins stand beside this file. They are read, not run."""

import jax
import jax.numpy as jnp
from flax import nnx


class Attend(nnx.Module):
    def __init__(self, d=512, heads=8, *, rngs: nnx.Rngs):
        self.q, self.k, self.v = (nnx.LinearGeneral(d, (heads, 64), rngs=rngs) for _ in range(3))
        self.o = nnx.LinearGeneral((heads, 64), d, axis=(-2, -1), rngs=rngs)

    def __call__(self, x):
        q, k, v = self.q(x), self.k(x), self.v(x)
        weights = nnx.softmax(jnp.einsum("bqhd,bkhd->bhqk", q, k) / 8, axis=-1)
        return self.o(jnp.einsum("bhqk,bkhd->bqhd", weights, v))


class Feed(nnx.Module):
    def __init__(self, d=512, f=2048, *, rngs: nnx.Rngs):
        self.up, self.down = nnx.Linear(d, f, rngs=rngs), nnx.Linear(f, d, rngs=rngs)

    def __call__(self, x):
        return self.down(nnx.relu(self.up(x)))


class Gated(nnx.Module):
    def __init__(self, d=512, f=1376, *, rngs: nnx.Rngs):
        self.gate = nnx.Linear(d, f, use_bias=False, rngs=rngs)
        self.up = nnx.Linear(d, f, use_bias=False, rngs=rngs)
        self.down = nnx.Linear(f, d, use_bias=False, rngs=rngs)

    def __call__(self, x):
        return self.down(nnx.silu(self.gate(x)) * self.up(x))


class PostNorm(nnx.Module):
    def __init__(self, d=512, *, rngs: nnx.Rngs):
        self.attend, self.feed = Attend(d, rngs=rngs), Feed(d, rngs=rngs)
        self.one, self.two = nnx.LayerNorm(d, rngs=rngs), nnx.LayerNorm(d, rngs=rngs)
        self.drop = nnx.Dropout(0.1, rngs=rngs)

    def __call__(self, x):
        x = self.one(x + self.drop(self.attend(x)))
        return self.two(x + self.drop(self.feed(x)))


class PreNorm(PostNorm):
    def __call__(self, x):
        x = x + self.drop(self.attend(self.one(x)))
        return x + self.drop(self.feed(self.two(x)))


class Sandwich(nnx.Module):
    def __init__(self, d=512, *, rngs: nnx.Rngs):
        self.attend, self.feed = Attend(d, rngs=rngs), Feed(d, rngs=rngs)
        self.norms = nnx.List([nnx.LayerNorm(d, rngs=rngs) for _ in range(4)])

    def __call__(self, x):
        x = x + self.norms[1](self.attend(self.norms[0](x)))
        return x + self.norms[3](self.feed(self.norms[2](x)))


class Parallel(PostNorm):
    def __call__(self, x):
        h = self.one(x)
        return x + self.attend(h) + self.feed(h)


def turn(x, cos, sin):
    one, two = jnp.split(x, 2, axis=-1)
    return x * cos + jnp.concatenate((-two, one), axis=-1) * sin


class Rotary(nnx.Module):
    def __init__(self, d=512, heads=8, *, rngs: nnx.Rngs):
        self.heads = heads
        self.q, self.k, self.v, self.o = (nnx.Linear(d, d, use_bias=False, rngs=rngs) for _ in range(4))

    def __call__(self, x, cos, sin):
        b, s, d = x.shape
        q, k, v = (jnp.swapaxes(f(x).reshape(b, s, self.heads, 64), 1, 2) for f in (self.q, self.k, self.v))
        q, k = turn(q, cos, sin), turn(k, cos, sin)
        weights = jax.nn.softmax(q @ k.swapaxes(-2, -1) / 8, axis=-1)
        return self.o((weights @ v).swapaxes(1, 2).reshape(b, s, d))


class RMSNorm(nnx.Module):
    def __init__(self, d=512, *, rngs: nnx.Rngs):
        self.scale = nnx.Param(jnp.ones((d,)))

    def __call__(self, x):
        return x * jax.lax.rsqrt(jnp.square(x).mean(axis=-1, keepdims=True) + 1e-6) * self.scale[...]


class LlamaLike(nnx.Module):
    def __init__(self, d=512, *, rngs: nnx.Rngs):
        self.attend, self.feed = Rotary(d, rngs=rngs), Gated(d, rngs=rngs)
        self.one, self.two = RMSNorm(d, rngs=rngs), RMSNorm(d, rngs=rngs)

    def __call__(self, x, cos, sin):
        x = x + self.attend(self.one(x), cos, sin)
        return x + self.feed(self.two(x))


class Bottleneck(nnx.Module):
    first, second = 2, 1

    def __init__(self, d=256, inner=64, *, rngs: nnx.Rngs):
        self.a = nnx.Conv(d, inner, (1, 1), strides=self.first, use_bias=False, rngs=rngs)
        self.b = nnx.Conv(inner, inner, (3, 3), strides=self.second, padding=1, use_bias=False, rngs=rngs)
        self.c = nnx.Conv(inner, d, (1, 1), use_bias=False, rngs=rngs)
        self.short = nnx.Conv(d, d, (1, 1), strides=2, use_bias=False, rngs=rngs)
        self.na, self.nb, self.nc, self.ns = (nnx.BatchNorm(n, momentum=0.9, rngs=rngs) for n in (inner, inner, d, d))

    def __call__(self, x):
        h = nnx.relu(self.na(self.a(x)))
        h = nnx.relu(self.nb(self.b(h)))
        return nnx.relu(self.nc(self.c(h)) + self.ns(self.short(x)))


class BottleneckV15(Bottleneck):
    first, second = 1, 2


class Twice(nnx.Module):
    def __init__(self, c, d, *, rngs: nnx.Rngs):
        self.a, self.b = nnx.Conv(c, d, (3, 3), rngs=rngs), nnx.Conv(d, d, (3, 3), rngs=rngs)

    def __call__(self, x):
        return nnx.relu(self.b(nnx.relu(self.a(x))))


class UNet(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs):
        self.down, self.middle, self.up = Twice(3, 64, rngs=rngs), Twice(64, 128, rngs=rngs), Twice(128, 64, rngs=rngs)
        self.grow = nnx.ConvTranspose(128, 64, (2, 2), strides=(2, 2), rngs=rngs)
        self.out = nnx.Conv(64, 2, (1, 1), rngs=rngs)

    def __call__(self, x):
        left = self.down(x)
        low = self.middle(nnx.max_pool(left, (2, 2), strides=(2, 2)))
        return self.out(self.up(jnp.concatenate([left, self.grow(low)], axis=-1)))
