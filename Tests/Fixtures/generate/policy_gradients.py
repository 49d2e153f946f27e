"""policy_gradients.safetensors: the losses of PPO and A2C, and every gradient, from torch in float64.

Each CASE has a network's parameters under `CASE.parameter.NAME` and their gradients under `CASE.gradient.NAME`; the
batch: `observations` [37, 5], `actions`, `old_log_probabilities` [37], `advantages` [37], `returns` [37],
`old_values` [37]; and the results: `loss`, `policy_loss`, `value_loss`, `entropy`, `approximate_kl`, `clip_fraction`.
ε is 0.2, c_v 0.5, c_H 0.01, hidden layers 16 and 12 wide with tanh.
  discrete          3 actions, separate networks
  discrete_clip_v   the same with values clipped to ± 0.3 around the old ones (the larger loss counts)
  discrete_shared   one network for policy and value
  continuous        2 normal numbers with a standard deviation that does not depend on the state
  continuous_a2c    the same; the loss is the plain policy gradient, -advantage · ln π
"""

import torch
from fixture import Fixture
from torch.distributions import Categorical, Normal

fixture = Fixture("policy_gradients.safetensors", seed=11)
ROWS, OBSERVATIONS, WIDTHS = 37, 5, (16, 12)
CLIP, VALUE, ENTROPY = 0.2, 0.5, 0.01


def network(prefix, outputs):
    """Weights [out, in] and biases of a perceptron, by Nabla's names."""
    sizes = (OBSERVATIONS, *WIDTHS, outputs)
    parameters = {}
    for layer, (inner, outer) in enumerate(zip(sizes, sizes[1:])):
        parameters[f"{prefix}.layers.{layer}.weight"] = fixture.normal(outer, inner, scale=0.5).requires_grad_()
        parameters[f"{prefix}.layers.{layer}.bias"] = fixture.normal(outer, scale=0.2).requires_grad_()
    return parameters


def run(parameters, prefix, x):
    for layer in range(len(WIDTHS) + 1):
        x = x @ parameters[f"{prefix}.layers.{layer}.weight"].T + parameters[f"{prefix}.layers.{layer}.bias"]
        x = torch.tanh(x) if layer < len(WIDTHS) else x
    return x


def record(case, continuous=False, shared=False, value_clip=None, plain=False):
    actions_count = 2 if continuous else 3
    if shared:
        parameters = network("shared", actions_count + 1)
    else:
        parameters = network("policy", actions_count) | network("value", 1)
    if continuous:
        parameters["log_std"] = fixture.normal(actions_count, scale=0.3).requires_grad_()
    observations = fixture.normal(ROWS, OBSERVATIONS)
    actions = fixture.normal(ROWS, actions_count) if continuous else fixture.integers(0, actions_count, ROWS)
    advantages, returns, old_values = fixture.normal(ROWS), fixture.normal(ROWS), fixture.normal(ROWS)

    if shared:
        output = run(parameters, "shared", observations)
        policy, values = output[:, :actions_count], output[:, actions_count]
    else:
        policy, values = run(parameters, "policy", observations), run(parameters, "value", observations)[:, 0]
    if continuous:
        distribution = Normal(policy, parameters["log_std"].exp())
        log_probabilities, entropy = distribution.log_prob(actions).sum(1), distribution.entropy().sum(1).mean()
    else:
        distribution = Categorical(logits=policy)
        log_probabilities, entropy = distribution.log_prob(actions), distribution.entropy().mean()
    # Ratios on both sides of the clip range, held exactly by float32.
    old = (log_probabilities.detach() + fixture.normal(ROWS, scale=0.3)).float().double()
    log_ratios = log_probabilities - old
    ratios = log_ratios.exp()
    if plain:
        policy_loss = -(advantages * log_probabilities).mean()
        approximate_kl = clip_fraction = torch.zeros(())
    else:
        clipped = torch.clamp(ratios, 1 - CLIP, 1 + CLIP)
        policy_loss = -torch.min(ratios * advantages, clipped * advantages).mean()
        approximate_kl = ((ratios - 1) - log_ratios).mean()
        clip_fraction = ((ratios - 1).abs() > CLIP).double().mean()
        assert 0.2 < clip_fraction < 0.8
    squares = (values - returns) ** 2
    if value_clip:
        limited = old_values + torch.clamp(values - old_values, -value_clip, value_clip)
        squares = torch.max(squares, (limited - returns) ** 2)
    value_loss = squares.mean()
    loss = policy_loss + VALUE * value_loss - ENTROPY * entropy
    loss.backward()
    fixture.add(
        case, observations=observations, actions=actions, old_log_probabilities=old, advantages=advantages,
        returns=returns, old_values=old_values, loss=loss, policy_loss=policy_loss, value_loss=value_loss,
        entropy=entropy, approximate_kl=approximate_kl, clip_fraction=clip_fraction)
    fixture.add(case, **{f"parameter.{name}": p for name, p in parameters.items()})
    fixture.add(case, **{f"gradient.{name}": p.grad for name, p in parameters.items()})


record("discrete")
record("discrete_clip_v", value_clip=0.3)
record("discrete_shared", shared=True)
record("continuous", continuous=True)
record("continuous_a2c", continuous=True, plain=True)
fixture.save()
