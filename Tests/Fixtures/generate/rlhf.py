"""rlhf.safetensors: a whole PPO step on given log-probabilities, values and scores, by the formulas of trl 0.23's
PPOTrainer in float64 (trl 1.x has none), on rows padded to one length with masks.

One difference is on purpose: trl adds the score one place after the last token where the row has one; here, as in
Ouyang et al. 2022, it is added at the last token (trl #937), and the value function's mask ends there.

`logps` [n] are of the policy that learns, `old_logps`, `ref_logps`, `values`, `new_values` likewise; tokens of
completions stand one after the other, `lengths` [N] tells them apart; `scores` [N]. γ = 0.98, λ = 0.9, β = 0.07,
ε = 0.2, ε_V = 0.2, c_V = 0.1.
Cases `k1`, `k3` (the KL estimate) and `whitened` (k1, rewards whitened), each with
  kl, rewards, advantages (whitened), returns   [n]
  loss, policy_loss, value_loss, approxkl, clipfrac, value_clipfrac, ratio, ratio_var   []
  logps_gradient, values_gradient   [n], of the loss
  mean_kl, non_score_reward, rlhf_reward   []
"""

import torch
from fixture import Fixture

fixture = Fixture("rlhf.safetensors", seed=23)
normal = fixture.normal
GAMMA, LAMBDA, BETA, CLIP, VALUE_CLIP, VALUE = 0.98, 0.9, 0.07, 0.2, 0.2, 0.1

lengths = [6, 1, 11, 4, 8, 3]
count, longest, n = len(lengths), max(lengths), sum(lengths)
old = (-normal(n).abs() - 0.5).float().double()
policy = (old + normal(n, scale=0.3)).float().double()
reference = (old + normal(n, scale=0.4)).float().double()
values = normal(n)
new_values = (values + normal(n, scale=0.3)).float().double()
scores = normal(count, scale=1.5)
fixture.add(
    "inputs", logps=policy, old_logps=old, ref_logps=reference, values=values, new_values=new_values, scores=scores,
    lengths=torch.tensor(lengths))

mask = torch.arange(longest)[None] < torch.tensor(lengths)[:, None]


def rows(flat, fill=0.0):
    """[n] → [N, longest], padded."""
    result = torch.full((count, longest), fill, dtype=torch.float64)
    return result.masked_scatter(mask, flat)


def flat(padded):
    return padded[mask]


def masked_mean(x):
    return (x * mask).sum() / mask.sum()


def masked_whiten(x, shift_mean=True):
    mean = masked_mean(x)
    variance = masked_mean((x - mean) ** 2) * mask.sum() / (mask.sum() - 1)
    whitened = (x - mean) * torch.rsqrt(variance + 1e-8)
    return whitened if shift_mean else whitened + mean


def case(name, estimator="k1", whiten_rewards=False):
    old_rows, reference_rows, value_rows = rows(old, 1.0), rows(reference, 1.0), rows(values)
    log_ratio = reference_rows - old_rows
    kl = -log_ratio if estimator == "k1" else log_ratio.exp() - 1 - log_ratio
    non_score = -BETA * kl
    rewards = non_score.clone()
    rewards[torch.arange(count), torch.tensor(lengths) - 1] += scores
    plain = rewards
    if whiten_rewards:
        rewards = masked_whiten(rewards, shift_mean=False).masked_fill(~mask, 0)
    last, reversed_advantages = 0, []
    for t in reversed(range(longest)):
        following = value_rows[:, t + 1] if t < longest - 1 else 0.0
        delta = rewards[:, t] + GAMMA * following - value_rows[:, t]
        last = delta + GAMMA * LAMBDA * last
        reversed_advantages.append(last)
    advantages = torch.stack(reversed_advantages[::-1], axis=1)
    returns = advantages + value_rows
    advantages = masked_whiten(advantages).masked_fill(~mask, 0)

    leaf, value_leaf = policy.clone().requires_grad_(), new_values.clone().requires_grad_()
    new, predicted = rows(leaf, 1.0), rows(value_leaf)
    clipped_values = torch.clamp(predicted, value_rows - VALUE_CLIP, value_rows + VALUE_CLIP)
    losses, clipped_losses = (predicted - returns) ** 2, (clipped_values - returns) ** 2
    value_loss = 0.5 * masked_mean(torch.max(losses, clipped_losses))
    difference = new - old_rows
    ratio = difference.exp()
    plain_losses = -advantages * ratio
    limited = -advantages * torch.clamp(ratio, 1 - CLIP, 1 + CLIP)
    policy_loss = masked_mean(torch.max(plain_losses, limited))
    loss = policy_loss + VALUE * value_loss
    loss.backward()
    flat_ratio = flat(ratio)
    fixture.add(
        name, kl=flat(kl), rewards=flat(plain), advantages=flat(advantages), returns=flat(returns), loss=loss,
        policy_loss=policy_loss, value_loss=value_loss, approxkl=0.5 * masked_mean(difference ** 2),
        clipfrac=masked_mean((limited > plain_losses).double()),
        value_clipfrac=masked_mean((clipped_losses > losses).double()), ratio=flat_ratio.mean(),
        ratio_var=flat_ratio.var(unbiased=False), logps_gradient=leaf.grad, values_gradient=value_leaf.grad,
        mean_kl=(kl * mask).sum(1).mean(), non_score_reward=(non_score * mask).sum(1).mean(),
        rlhf_reward=(non_score * mask).sum(1).mean() + scores.mean())


case("k1")
case("k3", estimator="k3")
case("whitened", whiten_rewards=True)
fixture.save()
