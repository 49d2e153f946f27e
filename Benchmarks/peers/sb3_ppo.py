"""PPO on CartPole-v1 with Stable-Baselines3 and the hyperparameters of rl-baselines3-zoo. Prints a round's environment
steps per second and the mean return of 20 greedy episodes afterwards."""

import time

import rounds

arguments = rounds.parse(__doc__, steps=100_000)

from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy

seed = 0


def work():
    global seed
    seed += 1
    model = PPO(
        "MlpPolicy", make_vec_env("CartPole-v1", n_envs=8, seed=seed), n_steps=32, batch_size=256, gae_lambda=0.8,
        gamma=0.98, n_epochs=20, ent_coef=0.0, learning_rate=lambda remaining: 1e-3 * remaining,
        clip_range=lambda remaining: 0.2 * remaining, seed=seed, device="cpu")
    start = time.perf_counter()
    model.learn(arguments.steps)
    seconds = time.perf_counter() - start
    greedy, _ = evaluate_policy(model, make_vec_env("CartPole-v1", n_envs=1, seed=1000), n_eval_episodes=20)
    return {"steps_per_second": round(model.num_timesteps / seconds, 1), "greedy_return": float(greedy)}


rounds.run(arguments, work)
