"""A rewrite in JAX: whole epochs in one program, jit over a scan over epochs, vmap over runs.

    python jax_peer.py THREADS
"""

import functools
import os
import sys

THREADS = sys.argv[1]
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={'true' if int(THREADS) > 1 else 'false'}"

import jax
import jax.numpy as jnp

from protocol import batches, parameters, serve, turn

BITS = 32


def unit(v, floor=1e-12):
    return v / jnp.maximum(jnp.sqrt(jnp.sum(v * v, axis=-1, keepdims=True)), floor)


def activation(spec, x, b):
    kind = spec["model"]["activation"]
    if kind == "srelu":
        return jax.nn.relu(x - b) - jax.nn.relu(-x - b)
    if kind == "sym_relu":
        return jax.nn.relu(x) - jax.nn.relu(2 * b - x)
    return jax.nn.relu(x) if kind == "relu" else x


def layer(spec, w, linear, norm, a):
    """`act(BN?(W a + b))`; the paper's SReLU takes b as its threshold instead."""
    b = w.get(f"{linear}.bias", 0.0)
    x = a @ w[f"{linear}.weight"].T
    if spec["model"]["activation"] != "srelu":
        x = x + b
    if f"{norm}.weight" in w:
        mean = jnp.mean(x, axis=0)
        centred = x - mean
        variance = jnp.mean(centred * centred, axis=0)
        x = centred * jax.lax.rsqrt(variance + 1e-5) * w[f"{norm}.weight"] + w[f"{norm}.bias"]
    return activation(spec, x, b)


def linear(w, name, a):
    return a @ w[f"{name}.weight"].T + w[f"{name}.bias"] if f"{name}.weight" in w else a


def branch(spec, w, view, a):
    """Encoder and projector of one view."""
    model = spec["model"]
    family, layers = model["family"], model["layers"]
    if family == "non_contrastive":
        name, norms = ("Wo", "bno") if view == 0 else ("Wt", "bnt"), ("", "_1")
        for suffix in norms[:layers]:
            a = layer(spec, w, name[0] + suffix, name[1] + suffix, a)
        return a
    norms = ("bn1", "bn2") if family == "contrastive" else ("norm1", "norm2")
    for suffix, norm in list(zip(("", "_1"), norms))[:layers]:
        a = layer(spec, w, "Wo" + suffix, norm, a)
    if family == "contrastive":
        return linear(w, "Wp", a)
    return layer(spec, w, "Wproj", "norm2", a) if model["projector"] == "hidden" else linear(w, "Wproj", a)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def nt_xent(u, temperature):
    """Of unit embeddings `(2B, m)`.

    Cosines are at most 1, so `exp((s - 1) / t)` cannot overflow and needs no search for the largest. The gradient is
    written out: similarities are symmetric, and autodiff would multiply twice where once does.
    """
    return nt_xent_forward(u, temperature)[0]


def nt_xent_forward(u, temperature):
    b = len(u) // 2
    e = jnp.where(jnp.eye(2 * b, dtype=bool), 0.0, jnp.exp((u @ u.T - 1) / temperature))
    sums = jnp.sum(e, axis=1)
    partner = (jnp.sum(u[:b] * u[b:], axis=1) - 1) / temperature
    return jnp.mean(jnp.log(sums)) - jnp.mean(partner), (u, e, 1 / sums)


def nt_xent_backward(temperature, residuals, factor):
    u, e, w = residuals
    b = len(u) // 2
    h = e * (w[:, None] + w)
    return (factor / (2 * b * temperature) * (h @ u - 2 * jnp.concatenate([u[b:], u[:b]])),)


nt_xent.defvjp(nt_xent_forward, nt_xent_backward)


def loss(spec, w, x1, x2, learner):
    kind, family = spec["loss"]["kind"], spec["model"]["family"]
    z = branch(spec, w, 0, x1), branch(spec, w, 1, x2)
    if kind == "nt_xent":
        return nt_xent(unit(jnp.concatenate(z)), spec["loss"]["temperature"])
    predict = (lambda a: a) if family == "contrastive" else (lambda a: linear(w, "Wp", a))

    def distance(k):
        q, t = predict(z[k]), jax.lax.stop_gradient(z[1 - k])
        if kind == "negative_cosine":
            return -jnp.mean(jnp.sum(unit(q, 1e-8) * unit(t, 1e-8), axis=1))
        if spec["loss"]["normalize"]:
            q, t = unit(q), unit(t)
        if kind == "l2":
            return jnp.mean(jnp.sum((q - t) ** 2, axis=1))
        return 2 - 2 * jnp.mean(jnp.sum(q * t, axis=1))

    return distance(learner) if learner is not None else (distance(0) + distance(1)) / 2


def step(spec, w, x1, x2, learner):
    """One step of SGD. A stop gradient leaves the other branch a gradient of zero."""
    value, gradient = jax.value_and_grad(lambda w: loss(spec, w, x1, x2, learner))(w)
    return {name: w[name] - spec["train"]["lr"] * gradient[name] for name in w}, value


def epoch(spec, w, x, key):
    order_key, mask_key = jax.random.split(key)
    n, p = x.shape
    order = jax.random.permutation(order_key, n)
    words = jax.random.bits(mask_key, (n, 2, -(-p // BITS)), jnp.uint32)
    bits = (words[..., None] >> jnp.arange(BITS, dtype=jnp.uint32)) & 1
    views = x[order, None] * bits.reshape(n, 2, -1)[..., :p].astype(x.dtype)
    start = 0
    for k, size in enumerate(batches(spec)):
        x1, x2 = views[start : start + size, 0], views[start : start + size, 1]
        w, value = step(spec, w, x1, x2, turn(spec, k))
        start += size
    return w, value


class Jax:
    def load(self, spec, runs, x, state):
        assert spec["views"] == {"masks": "independent", "masking_prob": 0.5, "pairs": 1}
        self.spec, self.runs = spec, runs
        self.state = {name: jnp.asarray(value, jnp.float32) for name, value in parameters(state).items()}
        repeat = lambda value: jnp.repeat(value[None], runs, axis=0)
        self.x = repeat(jnp.asarray(x, jnp.float32))
        self.w = {name: repeat(value) for name, value in self.state.items()}
        self.keys = jax.random.split(jax.random.key(0, impl="rbg"), runs)

    def check(self, x1, x2, steps):
        x1, x2 = jnp.asarray(x1, jnp.float32), jnp.asarray(x2, jnp.float32)
        w, losses = self.state, []
        for k in range(steps):
            w, value = step(self.spec, w, x1, x2, turn(self.spec, k))
            losses.append(float(value))
        return losses

    def train(self, epochs):
        self.w, self.keys, losses = self.epochs(self.w, self.x, self.keys, epochs)
        jax.block_until_ready(losses)

    @functools.partial(jax.jit, static_argnums=(0, 4), donate_argnums=1)
    def epochs(self, w, x, keys, epochs):
        def run(w, x, key):
            keys = jax.random.split(key, epochs + 1)
            w, losses = jax.lax.scan(lambda w, key: epoch(self.spec, w, x, key), w, keys[1:])
            return w, keys[0], losses

        return jax.vmap(run)(w, x, keys)


serve(Jax())
