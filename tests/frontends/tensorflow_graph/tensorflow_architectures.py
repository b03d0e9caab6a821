"""What `../onnx_model/architectures.py` has, in TensorFlow: `test_agreement` holds the graphs against each other."""

import tensorflow as tf

D, HEADS = 16, 2


class Linear(tf.Module):
    def __init__(self, inside, outside, bias=True):
        super().__init__()
        self.kernel = tf.Variable(tf.random.normal((inside, outside)), name="kernel")
        self.bias = tf.Variable(tf.zeros(outside), name="bias") if bias else None

    def __call__(self, x):
        y = tf.matmul(x, self.kernel)
        return y if self.bias is None else tf.nn.bias_add(y, self.bias)


class LayerNorm(tf.Module):
    def __init__(self, d=D, eps=1e-5):
        super().__init__()
        self.scale, self.shift = tf.Variable(tf.ones(d), name="scale"), tf.Variable(tf.zeros(d), name="shift")
        self.eps = eps

    def __call__(self, x):
        mean, variance = tf.nn.moments(x, [-1], keepdims=True)
        return (x - mean) * tf.math.rsqrt(variance + self.eps) * self.scale + self.shift


class Attention(tf.Module):
    """Heads by einsum, as in keras."""

    def __init__(self):
        super().__init__()
        size = D // HEADS
        for name in "qkv":
            setattr(self, name, tf.Variable(tf.random.normal((D, HEADS, size)), name=name))
            setattr(self, name + "_bias", tf.Variable(tf.zeros((HEADS, size)), name=name + "_bias"))
        self.o = tf.Variable(tf.random.normal((HEADS, size, D)), name="o")
        self.o_bias = tf.Variable(tf.zeros(D), name="o_bias")

    def __call__(self, x):
        q = tf.einsum("btd,dnh->btnh", x, self.q) + self.q_bias
        k = tf.einsum("btd,dnh->btnh", x, self.k) + self.k_bias
        v = tf.einsum("btd,dnh->btnh", x, self.v) + self.v_bias
        q = q * (D // HEADS) ** -0.5
        weights = tf.nn.softmax(tf.einsum("btnh,bsnh->bnts", q, k))
        return tf.einsum("btnh,nhd->btd", tf.einsum("bnts,bsnh->btnh", weights, v), self.o) + self.o_bias


class FeedForward(tf.Module):
    def __init__(self):
        super().__init__()
        self.up, self.down = Linear(D, 4 * D), Linear(4 * D, D)

    def __call__(self, x):
        return self.down(tf.nn.gelu(self.up(x)))


class Model(tf.Module):
    shape = (2, 7, D)

    def signatures(self):
        spec = tf.TensorSpec((None, *self.shape[1:]), name="x")
        return {
            "serving_default": tf.function(lambda x: {"y": self(x, False)}, input_signature=[spec]),
            "train": tf.function(lambda x: {"y": self(x, True)}, input_signature=[spec]),
        }


class Block(Model):
    def __init__(self):
        super().__init__()
        self.attention, self.ffn = Attention(), FeedForward()
        self.norm1, self.norm2 = LayerNorm(), LayerNorm()

    def drop(self, x, training):
        return tf.nn.dropout(x, 0.1) if training else x


class PostNorm(Block):
    def __call__(self, x, training):
        x = self.norm1(x + self.drop(self.attention(x), training))
        return self.norm2(x + self.drop(self.ffn(x), training))


class PreNorm(Block):
    def __call__(self, x, training):
        x = x + self.drop(self.attention(self.norm1(x)), training)
        return x + self.drop(self.ffn(self.norm2(x)), training)


class Sandwich(Block):
    def __init__(self):
        super().__init__()
        self.norm3, self.norm4 = LayerNorm(), LayerNorm()

    def __call__(self, x, training):
        x = x + self.norm3(self.attention(self.norm1(x)))
        return x + self.norm4(self.ffn(self.norm2(x)))


class Parallel(Block):
    def __call__(self, x, training):
        y = self.norm1(x)
        return x + self.attention(y) + self.ffn(y)


class RMSNorm(tf.Module):
    def __init__(self):
        super().__init__()
        self.scale = tf.Variable(tf.ones(D), name="scale")

    def __call__(self, x):
        return self.scale * (x * tf.math.rsqrt(tf.reduce_mean(tf.square(x), -1, keepdims=True) + 1e-6))


class Gated(Model):
    def __init__(self):
        super().__init__()
        self.gate, self.up, self.down = Linear(D, 32, False), Linear(D, 32, False), Linear(32, D, False)
        self.norm = LayerNorm()

    def __call__(self, x, training):
        y = self.norm(x)
        return x + self.down(tf.nn.silu(self.gate(y)) * self.up(y))


class Rotary(Model):
    def __init__(self):
        super().__init__()
        self.q, self.k, self.v, self.o = (Linear(D, D, False) for _ in range(4))
        self.norm, self.size = RMSNorm(), D // HEADS

    def turned(self, x, cos, sin):
        left, right = tf.split(x, 2, -1)
        return x * cos + tf.concat([-right, left], -1) * sin

    def heads(self, x):
        b, s = tf.shape(x)[0], tf.shape(x)[1]
        return tf.transpose(tf.reshape(x, [b, s, HEADS, self.size]), [0, 2, 1, 3])

    def __call__(self, x, training):
        b, s = tf.shape(x)[0], tf.shape(x)[1]
        y = self.norm(x)
        q, k, v = self.heads(self.q(y)), self.heads(self.k(y)), self.heads(self.v(y))
        rates = 10000.0 ** (-tf.range(0, self.size, 2, dtype=tf.float32) / self.size)
        angles = tf.range(s, dtype=tf.float32)[:, None] * rates[None, :]
        angles = tf.concat([angles, angles], -1)
        q, k = self.turned(q, tf.cos(angles), tf.sin(angles)), self.turned(k, tf.cos(angles), tf.sin(angles))
        weights = tf.nn.softmax(tf.matmul(q, k, transpose_b=True) * self.size**-0.5)
        joined = tf.reshape(tf.transpose(tf.matmul(weights, v), [0, 2, 1, 3]), [b, s, D])
        return x + self.o(joined)


class Conv(tf.Module):
    def __init__(self, inside, outside, size, stride=1, bias=True):
        super().__init__()
        self.kernel = tf.Variable(tf.random.normal((size, size, inside, outside)), name="kernel")
        self.bias = tf.Variable(tf.zeros(outside), name="bias") if bias else None
        self.size, self.stride = size, stride

    def __call__(self, x):
        side = self.size // 2
        if side:
            x = tf.pad(x, [[0, 0], [side, side], [side, side], [0, 0]])
        y = tf.nn.conv2d(x, self.kernel, self.stride, "VALID")
        return y if self.bias is None else tf.nn.bias_add(y, self.bias)


class BatchNorm(tf.Module):
    def __init__(self, d):
        super().__init__()
        self.scale, self.shift = tf.Variable(tf.ones(d), name="scale"), tf.Variable(tf.zeros(d), name="shift")
        self.mean = tf.Variable(tf.zeros(d), trainable=False, name="mean")
        self.variance = tf.Variable(tf.ones(d), trainable=False, name="variance")

    def __call__(self, x, training):
        y, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            x,
            self.scale,
            self.shift,
            None if training else tf.convert_to_tensor(self.mean),
            None if training else tf.convert_to_tensor(self.variance),
            1e-5,
            is_training=training,
        )
        if training:
            self.mean.assign_sub((self.mean - mean) * 0.1)
            self.variance.assign_sub((self.variance - variance) * 0.1)
        return y


class Bottleneck(tf.Module):
    def __init__(self, inside, width, first, second):
        super().__init__()
        self.conv1, self.bn1 = Conv(inside, width, 1, first, False), BatchNorm(width)
        self.conv2, self.bn2 = Conv(width, width, 3, second, False), BatchNorm(width)
        self.conv3, self.bn3 = Conv(width, 4 * width, 1, 1, False), BatchNorm(4 * width)
        self.short, self.norm = Conv(inside, 4 * width, 1, first * second, False), BatchNorm(4 * width)

    def __call__(self, x, training):
        y = tf.nn.relu(self.bn1(self.conv1(x), training))
        y = tf.nn.relu(self.bn2(self.conv2(y), training))
        return tf.nn.relu(self.bn3(self.conv3(y), training) + self.norm(self.short(x), training))


class ResNet(Model):
    shape = (2, 32, 32, 3)
    strides = (2, 1)

    def __init__(self):
        super().__init__()
        self.stem, self.norm = Conv(3, 8, 7, 2, False), BatchNorm(8)
        self.one, self.two = Bottleneck(8, 4, 1, 1), Bottleneck(16, 8, *self.strides)
        self.head = Linear(32, 10)

    def __call__(self, x, training):
        x = tf.nn.relu(self.norm(self.stem(x), training))
        x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=float("-inf"))
        x = tf.nn.max_pool2d(x, 3, 2, "VALID")
        x = self.two(self.one(x, training), training)
        return self.head(tf.reduce_mean(x, [1, 2]))


class ResNet15(ResNet):
    strides = (1, 2)


class UNet(Model):
    shape = (2, 32, 32, 3)

    def __init__(self):
        super().__init__()
        self.down1, self.down2 = Conv(3, 8, 3), Conv(8, 16, 3)
        self.kernel = tf.Variable(tf.random.normal((2, 2, 8, 16)), name="kernel")
        self.bias = tf.Variable(tf.zeros(8), name="bias")
        self.join, self.out = Conv(16, 8, 3), Conv(8, 2, 1)

    def up(self, x):
        b, h, w = tf.shape(x)[0], tf.shape(x)[1], tf.shape(x)[2]
        return tf.nn.bias_add(tf.nn.conv2d_transpose(x, self.kernel, [b, 2 * h, 2 * w, 8], 2, "SAME"), self.bias)

    def __call__(self, x, training):
        one = tf.nn.relu(self.down1(x))
        two = tf.nn.relu(self.down2(tf.nn.max_pool2d(one, 2, 2, "VALID")))
        return self.out(tf.nn.relu(self.join(tf.concat([one, self.up(two)], -1))))


NAMES = ("PostNorm", "PreNorm", "Sandwich", "Parallel", "Gated", "Rotary", "ResNet", "ResNet15", "UNet")


class Control(tf.Module):
    def __init__(self):
        super().__init__()
        self.w = tf.Variable(tf.random.normal((D, D)), name="w")

    @tf.function(input_signature=[tf.TensorSpec((None, D), name="x")])
    def run(self, x):
        for _ in tf.range(3):
            x = tf.nn.relu(x @ self.w)
        x = x + 1.0 if tf.reduce_sum(x) > 0 else tf.tanh(x)
        return self.mapped(self.mapped(x))

    @tf.function
    def mapped(self, x):
        return tf.nn.gelu(x @ self.w, approximate=True)


def save_others():
    import keras
    from keras import layers

    control = Control()
    tf.saved_model.save(control, "control", signatures={"serving_default": control.run})

    tokens = keras.Input((None,), dtype="int32")
    x = layers.Embedding(100, D)(tokens)
    y = layers.LayerNormalization()(x)
    x = layers.Add()([x, layers.MultiHeadAttention(HEADS, D // HEADS, dropout=0.1)(y, y)])
    y = layers.Dense(4 * D, activation="gelu")(layers.LayerNormalization()(x))
    keras.Model(tokens, x + layers.Dense(D)(layers.Dropout(0.1)(y))).export("keras_encoder", verbose=False)

    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(8, 3, padding="same", use_bias=False)(image)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.GlobalAveragePooling2D()(layers.DepthwiseConv2D(3)(x))
    x = layers.Dense(4, activation="softmax")(layers.Dropout(0.3)(x))
    keras.Model(image, x).export("keras_images", verbose=False)

    sequence = keras.Input((7, D))
    keras.Model(sequence, layers.GRU(4)(layers.LSTM(8, return_sequences=True)(sequence))).export(
        "keras_recurrent", verbose=False
    )
