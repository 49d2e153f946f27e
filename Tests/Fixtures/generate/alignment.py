"""alignment.safetensors: the losses of preference and policy optimization, by trl's own code in float64.

trl's `_compute_loss` runs on log-probabilities given here, with everything else of its trainers replaced. Tokens of
completions stand one after the other; `lengths` tells them apart.

DPO: `dpo.logps` [n] of the policy and `dpo.ref_logps` [n], `dpo.lengths` [2B] of the chosen, then of the rejected
completions. Each case has the mean `loss`, `logps_gradient` [n], and `beta_gradient` [] where β is learned.
  dpo.LOSS           β = 0.1; ε = 0.1 for robust and exo_pair
  dpo.cdpo           sigmoid with ε = 0.1 (not in trl 1.x; the formula of Mitchell 2023)
  dpo.reference_free sigmoid without reference
  dpo.rewards        `chosen` and `rejected` [B], the implicit rewards at β = 0.1
Reward model: `reward.chosen`, `reward.rejected`, `reward.margin` [B]; cases plain, margin, centered (c = 0.01) with
`loss` and the gradients.
GRPO: `grpo.logps`, `grpo.old_logps`, `grpo.ref_logps` [n], `grpo.lengths` [N], `grpo.advantages` [N]; ε_low = 0.2,
ε_high = 0.28, longest completion 12. Cases `grpo.VARIANT`, `grpo.VARIANT_kl` (β = 0.05) and `grpo.gspo`; each has
`loss`, `logps_gradient`, `clip_low`, `clip_high` (shares of tokens).
Group advantages: `advantages.rewards` [12] in groups of 4, the second group without variance; `group`, `batch`, `none`.
PPO's parts, by the formulas of trl 0.23's PPOTrainer: `whiten.input`, `whiten.shifted`, `whiten.kept`; `value.*`;
`kl.k1`, `kl.k2`, `kl.k3` of `grpo.logps` against `grpo.ref_logps` with `kl.KIND_gradient`.
"""

from collections import defaultdict
from types import SimpleNamespace
from unittest.mock import MagicMock

import torch
from fixture import Fixture
from trl import DPOTrainer, GRPOTrainer, RewardTrainer

fixture = Fixture("alignment.safetensors", seed=15)
normal = fixture.normal


class Accelerator(MagicMock):
    gather = gather_for_metrics = staticmethod(lambda x: x)
    reduce = staticmethod(lambda x, reduction: x)
    device = "cpu"
    num_processes = 1


def stub(**settings):
    """A trainer that has only what its loss reads."""
    self = MagicMock()
    self.accelerator = Accelerator()
    self._metrics = defaultdict(lambda: defaultdict(list))
    for name, value in settings.items():
        setattr(self, name, value)
    return self


def padded(flat, lengths):
    rows = torch.split(flat, lengths)
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), torch.nn.utils.rnn.pad_sequence(
        [torch.ones(n, dtype=torch.long) for n in lengths], batch_first=True)


# ---- DPO

lengths = [5, 9, 1, 7, 4, 6, 3, 2, 8, 7]
pairs, tokens = len(lengths) // 2, sum(lengths)
reference = -normal(tokens).abs() - 1
policy = (reference + normal(tokens, scale=0.8)).clamp(max=-0.01).float().double()
reference = reference.float().double()
fixture.add("dpo", logps=policy, ref_logps=reference, lengths=torch.tensor(lengths))


def dpo(loss, beta=0.1, smoothing=0.0, free=False):
    logps = policy.clone().requires_grad_()
    beta = torch.tensor(beta, dtype=torch.float64).float().double().requires_grad_()
    # A prompt of one token stands before each completion: what is predicted are all tokens but the first.
    per_token, mask = padded(logps, lengths)
    ref_sums = torch.stack([part.sum() for part in torch.split(reference, lengths)])
    if free:
        ref_sums = torch.zeros_like(ref_sums)
    ones = torch.ones(2 * pairs, 1, dtype=torch.long)
    full_mask = torch.cat([0 * ones, mask], dim=1)
    outputs = SimpleNamespace(
        log_probs=per_token, entropy=torch.zeros_like(per_token), mean_logits=torch.zeros_like(per_token),
        is_top1=torch.zeros_like(per_token, dtype=torch.bool), aux_loss=None, log_sum_sq_probs=None)
    self = stub(
        ld_alpha=None, aux_loss_enabled=False, precompute_ref_logps=True, f_divergence_type="reverse_kl",
        loss_types=[loss], loss_weights=[1.0], beta=beta, label_smoothing=smoothing, use_weighting=False,
        _total_train_tokens=0, _tp_size=1)
    inputs = {
        "input_ids": full_mask, "attention_mask": torch.ones_like(full_mask), "completion_mask": full_mask,
        "ref_chosen_logps": ref_sums[:pairs], "ref_rejected_logps": ref_sums[pairs:]}
    value = DPOTrainer._compute_loss(self, lambda **_: outputs, inputs, False)
    if loss == "sigmoid" and smoothing:
        sums = torch.stack([part.sum() for part in torch.split(logps, lengths)]) - ref_sums
        z = beta * (sums[:pairs] - sums[pairs:])
        logsigmoid = torch.nn.functional.logsigmoid
        value = (-(1 - smoothing) * logsigmoid(z) - smoothing * logsigmoid(-z)).mean()
    value.backward()
    return dict(loss=value, logps_gradient=logps.grad, beta_gradient=beta.grad)


for loss in [
    "sigmoid", "ipo", "hinge", "robust", "sigmoid_norm", "exo_pair", "nca_pair", "bco_pair", "sppo_hard", "apo_zero",
    "apo_down",
]:
    fixture.add(f"dpo.{loss}", **dpo(loss, smoothing=0.1 if loss in ("robust", "exo_pair") else 0.0))
fixture.add("dpo.cdpo", **dpo("sigmoid", smoothing=0.1))
fixture.add("dpo.reference_free", **dpo("sigmoid", free=True))
ratios = torch.stack([part.sum() for part in torch.split(policy - reference, lengths)])
fixture.add("dpo.rewards", chosen=0.1 * ratios[:pairs], rejected=0.1 * ratios[pairs:])

# ---- reward model

chosen, rejected, margin = normal(7, scale=2), normal(7, scale=2), normal(7).abs()
fixture.add("reward", chosen=chosen, rejected=rejected, margin=margin)
for case, centering in [("plain", None), ("margin", None), ("centered", 0.01)]:
    leaves = [chosen.clone().requires_grad_(), rejected.clone().requires_grad_()]
    self = stub(args=SimpleNamespace(center_rewards_coefficient=centering), _total_train_tokens=0, _tp_size=1)
    inputs = {"attention_mask": torch.ones(14, 3)}
    if case == "margin":
        inputs["margin"] = margin
    outputs = SimpleNamespace(logits=torch.cat(leaves).unsqueeze(-1))
    value = RewardTrainer.compute_loss(self, lambda **_: outputs, inputs)
    value.backward()
    fixture.add(f"reward.{case}", loss=value, chosen_gradient=leaves[0].grad, rejected_gradient=leaves[1].grad)

# ---- GRPO

lengths = [4, 11, 1, 7, 12, 3]
tokens, LONGEST = sum(lengths), 12
old = (-normal(tokens).abs() - 0.5).float().double()
policy = (old + normal(tokens, scale=0.35)).float().double()
reference = (old + normal(tokens, scale=0.5)).float().double()
advantages = normal(len(lengths))
fixture.add(
    "grpo", logps=policy, old_logps=old, ref_logps=reference, lengths=torch.tensor(lengths), advantages=advantages)


def grpo(variant, beta=0.0, level="token"):
    logps = policy.clone().requires_grad_()
    per_token, mask = padded(logps, lengths)
    self = stub(
        aux_loss_enabled=False, top_entropy_quantile=1.0, off_policy_mask_threshold=None,
        importance_sampling_level=level, beta=beta, loss_type=variant, epsilon_low=0.2, epsilon_high=0.28,
        args=SimpleNamespace(use_bias_correction_kl=False, delta=None, steps_per_generation=1), use_vllm=False,
        current_gradient_accumulation_steps=1, max_completion_length=LONGEST, _entropy_bonus_enabled=False)
    self._get_per_token_logps_and_entropies = lambda *_, **__: (per_token, torch.zeros_like(per_token), None)
    inputs = dict(
        prompt_ids=torch.zeros(len(lengths), 1, dtype=torch.long), prompt_mask=torch.ones(len(lengths), 1),
        completion_ids=torch.zeros_like(mask), completion_mask=mask, advantages=advantages,
        old_per_token_logps=padded(old, lengths)[0], ref_per_token_logps=padded(reference, lengths)[0],
        num_items_in_batch=torch.tensor(float(tokens)))
    value = GRPOTrainer._compute_loss(self, self.model, inputs)
    value.backward()
    metrics = self._metrics["train"]
    return dict(
        loss=value, logps_gradient=logps.grad, clip_low=metrics["clip_ratio/low_mean"][0],
        clip_high=metrics["clip_ratio/high_mean"][0])


for variant in ["grpo", "bnpo", "dapo", "dr_grpo"]:
    result = grpo(variant)
    assert 0 < result["clip_low"] < 0.5 and 0 < result["clip_high"] < 0.5
    fixture.add(f"grpo.{variant}", **result)
    fixture.add(f"grpo.{variant}_kl", **grpo(variant, beta=0.05))
fixture.add("grpo.gspo", **grpo("grpo", level="sequence"))

# ---- group advantages, with trl's ε of 1e-4

rewards = normal(12)
rewards[4:8] = 0.3
rewards = rewards.float().double()
groups = rewards.view(3, 4)
distance = groups - groups.mean(1, keepdim=True)
distance[1] = 0
fixture.add(
    "advantages", rewards=rewards, none=distance, batch=distance / (rewards.std() + 1e-4),
    group=distance / (groups.std(1, keepdim=True) + 1e-4))

# ---- parts of PPO

x = (normal(23, scale=3) + 5).float().double()
shifted = (x - x.mean()) * torch.rsqrt(x.var() + 1e-8)
fixture.add("whiten", input=x, shifted=shifted, kept=shifted + x.mean())
for kind, function in [
    ("k1", lambda d: d), ("k2", lambda d: d * d / 2), ("k3", lambda d: torch.exp(-d) - 1 + d),
]:
    logps = policy.clone().requires_grad_()
    value = function(logps - reference)
    value.sum().backward()
    fixture.add("kl", **{kind: value, f"{kind}_gradient": logps.grad})
values, returns, old_values = (normal(17) for _ in range(3))
leaf = values.clone().requires_grad_()
clipped = old_values + torch.clamp(leaf - old_values, -0.3, 0.3)
loss = torch.max((leaf - returns) ** 2, (clipped - returns) ** 2)
loss.sum().backward()
fixture.add("value", values=values, returns=returns, old_values=old_values, losses=loss, values_gradient=leaf.grad)
fixture.save()
