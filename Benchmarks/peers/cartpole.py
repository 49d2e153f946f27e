"""CartPole-v1 stepped with random actions: Gymnasium's own vector environment, which steps all of them in NumPy.

Prints environment steps a second and the mean return of the episodes that ended.
"""

import time

import rounds

arguments = rounds.parse(__doc__, environments=8, seconds=2.0)

import gymnasium
import numpy as np

environments = gymnasium.make_vec(
    "CartPole-v1", num_envs=arguments.environments, vectorization_mode="vector_entry_point")


def work():
    random = np.random.default_rng(1)
    environments.reset(seed=1)
    running = np.zeros(arguments.environments)
    steps, episodes, total = 0, 0, 0.0
    start = time.perf_counter()
    while time.perf_counter() - start < arguments.seconds:
        _, rewards, terminated, truncated, _ = environments.step(random.integers(0, 2, arguments.environments))
        running += rewards
        done = terminated | truncated
        episodes += int(done.sum())
        total += running[done].sum()
        running[done] = 0
        steps += arguments.environments
    seconds = time.perf_counter() - start
    return {"steps_per_second": round(steps / seconds), "mean_return": round(total / max(episodes, 1), 2)}


rounds.run(arguments, work)
