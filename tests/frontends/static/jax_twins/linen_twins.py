"""Layers as Flax linen writes them; their twins stand beside this file. They are read, not run."""

import jax
import jax.numpy as jnp
from flax import linen as nn


class Attend(nn.Module):
    heads: int = 8

    @nn.compact
    def __call__(self, x):
        q, k, v = (nn.DenseGeneral((self.heads, 64), name=name)(x) for name in ("q", "k", "v"))
        weights = jax.nn.softmax(jnp.einsum("bqhd,bkhd->bhqk", q, k) / 8, axis=-1)
        return nn.DenseGeneral(x.shape[-1], axis=(-2, -1), name="o")(jnp.einsum("bhqk,bkhd->bqhd", weights, v))


class Feed(nn.Module):
    width: int = 2048

    @nn.compact
    def __call__(self, x):
        return nn.Dense(512)(nn.relu(nn.Dense(self.width)(x)))


class Gated(nn.Module):
    width: int = 1376

    def setup(self):
        self.gate, self.up = nn.Dense(self.width, use_bias=False), nn.Dense(self.width, use_bias=False)
        self.down = nn.Dense(512, use_bias=False)

    def __call__(self, x):
        return self.down(nn.silu(self.gate(x)) * self.up(x))


class PostNorm(nn.Module):
    rate: float = 0.1

    @nn.compact
    def __call__(self, x, deterministic: bool = True):
        drop = nn.Dropout(self.rate, deterministic=deterministic)
        x = nn.LayerNorm()(x + drop(Attend()(x)))
        return nn.LayerNorm()(x + drop(Feed()(x)))


class PreNorm(nn.Module):
    rate: float = 0.1

    @nn.compact
    def __call__(self, x, *, train: bool):
        x = x + nn.Dropout(self.rate)(Attend()(nn.LayerNorm()(x)), deterministic=not train)
        return x + nn.Dropout(self.rate)(Feed()(nn.LayerNorm()(x)), deterministic=not train)


class Sandwich(nn.Module):
    def setup(self):
        self.norms = [nn.LayerNorm() for _ in range(4)]
        self.attend, self.feed = Attend(), Feed()

    def __call__(self, x):
        x = x + self.norms[1](self.attend(self.norms[0](x)))
        return x + self.norms[3](self.feed(self.norms[2](x)))


class Parallel(nn.Module):
    @nn.compact
    def __call__(self, x):
        h = nn.LayerNorm()(x)
        return x + Attend()(h) + Feed()(h)


def turn(x, cos, sin):
    one, two = jnp.split(x, 2, axis=-1)
    return x * cos + jnp.concatenate((-two, one), axis=-1) * sin


class Rotary(nn.Module):
    heads: int = 8

    @nn.compact
    def __call__(self, x, cos, sin):
        def split(name):
            return (
                nn.Dense(512, use_bias=False, name=name)(x)
                .reshape(x.shape[0], x.shape[1], self.heads, 64)
                .transpose(0, 2, 1, 3)
            )

        q, k, v = split("q"), split("k"), split("v")
        q, k = turn(q, cos, sin), turn(k, cos, sin)
        weights = nn.softmax(jnp.matmul(q, k.swapaxes(-2, -1)) / 8)
        x = (weights @ v).transpose(0, 2, 1, 3).reshape(x.shape)
        return nn.Dense(512, use_bias=False, name="o")(x)


class RMSNorm(nn.Module):
    @nn.compact
    def __call__(self, x):
        scale = self.param("scale", nn.initializers.ones, (512,))
        return x * jax.lax.rsqrt(jnp.mean(jnp.square(x), axis=-1, keepdims=True) + 1e-6) * scale


class LlamaLike(nn.Module):
    @nn.compact
    def __call__(self, x, cos, sin):
        x = x + Rotary()(RMSNorm()(x), cos, sin)
        return x + Gated()(RMSNorm()(x))


class Bottleneck(nn.Module):
    first: int = 2
    second: int = 1

    @nn.compact
    def __call__(self, x, train: bool = True):
        def norm(y):
            return nn.BatchNorm(use_running_average=not train, momentum=0.9)(y)

        h = nn.relu(norm(nn.Conv(64, (1, 1), strides=self.first, use_bias=False)(x)))
        h = nn.relu(norm(nn.Conv(64, (3, 3), strides=self.second, padding=1, use_bias=False)(h)))
        h = norm(nn.Conv(256, (1, 1), use_bias=False)(h))
        return nn.relu(h + norm(nn.Conv(256, (1, 1), strides=2, use_bias=False)(x)))


class BottleneckV15(Bottleneck):
    first: int = 1
    second: int = 2


class Twice(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x):
        for _ in range(2):
            x = nn.relu(nn.Conv(self.width, (3, 3))(x))
        return x


class UNet(nn.Module):
    @nn.compact
    def __call__(self, x):
        left = Twice(64)(x)
        low = Twice(128)(nn.max_pool(left, (2, 2), strides=(2, 2)))
        low = nn.ConvTranspose(64, (2, 2), strides=(2, 2))(low)
        return nn.Conv(2, (1, 1))(Twice(64)(jnp.concatenate([left, low], axis=-1)))
