"""environments.safetensors: what Gymnasium's classic environments do, in float64.

For each environment NAME:
  NAME.pairs.*      P random states, each with one action and what came of it
  NAME.random.*     a whole episode of random actions
  NAME.skilled.*    a whole episode of a controller that knows the task, so that ends and time limits are met

`state` [P, S] and `next` [P, S] float64; `action` [P] int32 or [P, A] float32; `observation` [P, O] float32;
`reward` [P] float64; `terminated` and `truncated` [P] int32. An episode's `state` are those it was in, its `next` those
that followed. The truncation of pairs, which have no past, is 0.

SimpleCartPole, which Gymnasium lacks, is written out below.
"""

import math
from pathlib import Path

import gymnasium
import numpy as np
from safetensors.numpy import save_file

PATH = Path(__file__).resolve().parent.parent / "environments.safetensors"
random = np.random.default_rng(7)


class SimpleCartPole:
    """Four additions a step, each from what the one before gave; at most 200 steps."""

    action_space = gymnasium.spaces.Discrete(2)

    @property
    def unwrapped(self):
        return self

    def reset(self, seed):
        self.state = np.random.default_rng(seed).uniform(-0.1, 0.1, 4)
        self.steps = 0
        return self.state, {}

    def step(self, action):
        x, speed, angle, spin = self.state
        force = 2.0 * action - 1.0
        speed += 0.1 * force
        x += 0.1 * speed
        spin += 0.1 * (force - 0.5 * angle)
        angle += 0.1 * spin
        self.state = np.array([x, speed, angle, spin])
        self.steps += 1
        ended = abs(angle) > 0.5 or abs(x) > 2.0
        return self.state.astype(np.float32), 1.0, ended, self.steps >= 200, {}


def cartpole(state):
    return int(0.1 * state[0] + 0.3 * state[1] + 3 * state[2] + state[3] > 0)


def simple_cartpole(state):
    return int(state[2] + state[3] + 0.3 * state[0] + 0.3 * state[1] < 0)


def mountain_car(state):
    return 2 if state[1] >= 0 else 0


def mountain_car_continuous(state):
    return np.array([1.7 if state[1] >= 0 else -0.93], np.float32)


def pendulum(state):
    """Pumps energy until the top is near, then holds it there."""
    angle, speed = state
    angle = (angle + math.pi) % (2 * math.pi) - math.pi
    if math.cos(angle) > 0.9:
        return np.array([-12 * angle - 3 * speed], np.float32)
    return np.array([2.0 * np.sign(speed) if 0.5 * speed**2 + 10 * math.cos(angle) < 10 else 0.0], np.float32)


def acrobot(state):
    return int(np.sign(state[3])) + 1


def symmetric(*bounds):
    return lambda: random.uniform(-1, 1, len(bounds)) * bounds


ENVIRONMENTS = {
    "SimpleCartPole": (symmetric(2.5, 3, 0.6, 3), simple_cartpole),
    "CartPole-v1": (symmetric(2.6, 3, 0.25, 3.5), cartpole),
    "MountainCar-v0": (lambda: np.array([random.uniform(-1.2, 0.6), random.uniform(-0.07, 0.07)]), mountain_car),
    "MountainCarContinuous-v0": (
        lambda: np.array([random.uniform(-1.2, 0.6), random.uniform(-0.07, 0.07)], np.float32),
        mountain_car_continuous),
    "Pendulum-v1": (symmetric(20, 8), pendulum),
    "Acrobot-v1": (symmetric(math.pi, math.pi, 4 * math.pi, 9 * math.pi), acrobot),
}

tensors = {}


def action_of(environment):
    space = environment.action_space
    if isinstance(space, gymnasium.spaces.Discrete):
        return int(random.integers(space.n))
    # Beyond the bounds too, where actions are clipped.
    return (random.uniform(-1.5, 1.5, space.shape) * space.high).astype(np.float32)


def save(case, rows):
    columns = dict(zip(["state", "action", "next", "observation", "reward", "terminated", "truncated"], zip(*rows)))
    for name, values in columns.items():
        values = np.array(values)
        if name in ("state", "next", "reward"):
            values = values.astype(np.float64)
        elif values.dtype.kind in "bi":
            values = values.astype(np.int32)
        tensors[f"{case}.{name}"] = np.ascontiguousarray(values)


def step(environment, action):
    state = np.array(environment.unwrapped.state, np.float64)
    observation, reward, terminated, truncated, _ = environment.step(action)
    after = np.array(environment.unwrapped.state, np.float64)
    return state, action, after, np.array(observation, np.float32), float(reward), terminated, truncated


def episode(environment, policy, seed):
    environment.reset(seed=seed)
    if "Continuous" in str(environment):  # keeps its state in float32 from the first step on
        environment.unwrapped.state = np.array(environment.unwrapped.state, np.float32)
    rows = []
    while not rows or not (rows[-1][-1] or rows[-1][-2]):
        rows.append(step(environment, policy(environment.unwrapped.state)))
    return rows


for name, (random_state, controller) in ENVIRONMENTS.items():
    environment = SimpleCartPole() if name == "SimpleCartPole" else gymnasium.make(name)
    rows = []
    for _ in range(200):
        environment.reset(seed=0)
        environment.unwrapped.state = random_state()
        rows.append(step(environment, action_of(environment)))
    save(f"{name}.pairs", rows)
    save(f"{name}.random", episode(environment, lambda state: action_of(environment), seed=1))
    rows = episode(environment, controller, seed=2)
    save(f"{name}.skilled", rows)
    print(f"{name}: the controller's return is {sum(row[4] for row in rows):.1f} in {len(rows)} steps")

save_file(dict(sorted(tensors.items())), PATH)
print(f"{PATH.name}: {len(tensors)} tensors, {PATH.stat().st_size:,} bytes")
