"""What a group of noisy measurations says about each member: empirical Bayes, integrated over its prior.
"""
import numpy as np
from dataclasses import dataclass
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

Float = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Prior:
    null_share: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.97)
    null_weight: tuple[float, ...] = (0.05, 0.06, 0.07, 0.08, 0.08, 0.08, 0.08)
    all_null: float = 0.5
    spread: tuple[float, ...] = (0.0, 0.2, 0.4, 0.7, 1.2, 2.0)
    degrees: float = 3.0
    floor: float = 0.2


@dataclass(frozen=True, kw_only=True)
class GroupPosterior:
    mean: Float
    p_above: Float
    p_better: Float
    group_mean: float
    p_group_above: float
    predictive_mean: float
    predictive_p_above: float
    predictive_p_better: float


def group_posterior(estimate, se, *, common_se=0.0, null=0.5, scale=0.05, prior=Prior()):
    estimate, se = np.asarray(estimate, float), np.asarray(se, float)
    known = np.isfinite(estimate) & (se > 0)
    x = estimate[known] - null
    v = np.maximum(se[known] ** 2 - common_se**2, prior.floor * se[known] ** 2)
    grid = _lattice(x, v, common_se, scale, prior)
    return _summary(grid, x, v, known, null)


@dataclass
class Grid:
    a: Float; b: Float; tau: Float; share: Float
    weight: Float  # (share, a, tau, b)
    null_weight: Float  # (a,)


def _density(x, center, var):
    z = (x - center) ** 2 / var
    return np.exp(-0.5 * z) / np.sqrt(2 * np.pi * var)


def _evaluate(a, b, x, v, common, scale, prior):
    tau = np.array(prior.spread) * scale
    share = np.array(prior.null_share)
    A = _density(x[:, None], a, v[:, None])  # S, na
    var = v[:, None] + tau**2
    B = _density(x[:, None, None], b[None, None], var[:, :, None]).reshape(len(x), -1)
    top = np.maximum(A.max(1), B.max(1))[:, None] if len(x) else 1
    A = np.maximum(A / top, 1e-30); B = np.maximum(B / top, 1e-30)
    log = np.zeros((len(share), len(a), B.shape[1])); prod = np.ones_like(log); term = np.empty_like(log)
    for s in range(len(x)):
        np.add((share[:, None] * A[s])[:, :, None], ((1 - share)[:, None] * B[s])[:, None, :], out=term)
        prod *= term
        if s % 8 == 7:
            log += np.log(prod); prod.fill(1)
    log += np.log(prod)
    lognull = np.log(A).sum(0)
    pa = np.exp(-0.5 * (a / common) ** 2) if common > 0 else np.ones(1)
    pa = pa / pa.sum()
    t = (b[None] - a[:, None]) / scale
    pm = (1 + t**2 / prior.degrees) ** (-(prior.degrees + 1) / 2)
    pm = pm / pm.sum(1, keepdims=True)
    ps = np.array(prior.null_weight); ps = (1 - prior.all_null) * ps / ps.sum()
    p = ps[:, None, None, None] * pa[:, None, None] * np.full(len(tau), 1 / len(tau))[:, None] * pm[:, None, :]
    log = log.reshape(p.shape)
    best = max(log.max(), lognull.max())
    w = p * np.exp(log - best); wn = prior.all_null * pa * np.exp(lognull - best)
    z = w.sum() + wn.sum()
    return Grid(a, b, tau, share, w / z, wn / z)


def _lattice(x, v, common, scale, prior):
    reach = 4 * scale
    low = min(-reach, x.min(initial=0)); high = max(reach, x.max(initial=0))
    a = np.linspace(-3.5 * common, 3.5 * common, 13) if common > 0 else np.zeros(1)
    b = np.linspace(low, high, 61)
    order = np.argsort(x, kind="stable"); step = max(1, len(x) // 64)
    pick = order[step // 2 :: step]
    grid = _evaluate(a, b, x[pick], v[pick], common, scale, prior)
    a2 = _box(a, grid.weight.sum((0, 2, 3)) + grid.null_weight, 13) if common > 0 else a
    b2 = _box(b, grid.weight.sum((0, 1, 2)) / max(grid.weight.sum(), 1e-300), 61)
    return _evaluate(a2, b2, x, v, common, scale, prior)


def _box(nodes, mass, n):
    live = np.flatnonzero(mass > 1e-5)
    lo, hi = nodes[max(live[0] - 1, 0)], nodes[min(live[-1] + 1, len(nodes) - 1)]
    return np.linspace(lo, hi, n)


def _summary(g, x, v, known, null):
    mu = g.b[None] - g.a[:, None]  # na, nb
    share = g.share[:, None, None, None]
    tau = g.tau[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        phi = np.where(tau > 0, ndtr(mu[:, None, :] / tau), (mu[:, None, :] > 0) + 0.5 * (mu[:, None, :] == 0))
    pm = (g.weight * (1 - share) * mu[None, :, None, :]).sum()
    pa = (g.weight * (1 - share) * phi[None]).sum()
    pz = (g.weight * share).sum() + g.null_weight.sum()
    n = len(x)
    flat = g.weight.ravel(); order = np.argsort(-flat, kind="stable")
    k = min(int(np.searchsorted(np.cumsum(flat[order]), flat.sum() * (1 - 1e-4))) + 1, 3000)
    idx = order[:k]; w = flat[idx] * flat.sum() / flat[idx].sum()
    i, j, t, l = np.unravel_index(idx, g.weight.shape)
    mean = np.full(len(known), pm); above = np.full(len(known), pa); zero = np.full(len(known), pz)
    gm, gp = pm, pa
    if n:
        A = _density(x[None], g.a[j][:, None], v); tt = (g.tau[t] ** 2)[:, None]
        B = _density(x[None], g.b[l][:, None], v + tt)
        sh = g.share[i][:, None]
        r = (1 - sh) * B / np.maximum(sh * A + (1 - sh) * B, 1e-300)
        kk = tt / (tt + v); m = (g.b[l] - g.a[j])[:, None] + kk * (x - g.b[l][:, None]); s2 = kk * v
        ph = ndtr(m / np.sqrt(np.maximum(s2, 1e-18)))
        mean[known] = w @ (r * m); above[known] = w @ (r * ph); zero[known] = w @ (1 - r) + g.null_weight.sum()
        gm = float(mean[known].mean())
        p0 = np.prod(1 - r, axis=1); some = np.maximum(1 - p0, 1e-12)
        first = (r * m).mean(1); var = (r * (m**2 + s2) - (r * m) ** 2).sum(1) / n**2
        c1 = first / some; c2 = np.maximum((var + first**2) / some - c1**2, 1e-18)
        gp = float(w @ ((1 - p0) * ndtr(c1 / np.sqrt(c2))))
    return GroupPosterior(mean=null + mean, p_above=above, p_better=above + 0.5 * zero, group_mean=null + gm, p_group_above=gp,
        predictive_mean=null + pm, predictive_p_above=pa, predictive_p_better=pa + 0.5 * pz)


def common_standard_error(totals, weights):
    totals = np.asarray(totals, float); weights = np.asarray(weights, float); weights = weights / weights.sum()
    blocks = np.count_nonzero(np.any(totals != 0, axis=0))
    mean = weights @ totals
    v = (mean**2).sum() * blocks / max(blocks - 3, 1)
    own = (weights**2 @ totals**2).sum() * blocks / max(blocks - 1, 1)
    return float(np.sqrt(max(v - own, 0) / max(1 - (weights**2).sum(), 1e-12))) if len(weights) > 1 else 0.0
