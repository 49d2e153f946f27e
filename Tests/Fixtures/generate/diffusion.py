"""diffusion.safetensors: noise schedules, step spacings and full trajectories of samplers, by diffusers.

alpha_bar.SCHEDULE       [1000], and alpha_bar.SCHEDULE_zero with zero terminal SNR; computed by diffusers in float32.
timesteps.SPACING_N      int32 [N]: DDIM's steps.
CASE.start               [4, 3]: what sampling starts from, at the first step's noise level.
CASE.trajectory          [steps, 4, 3]: after each step. Euler's and Heun's are in the coordinates x / alpha.
CASE.timesteps           as the model is told them (Heun: once a step).
CASE.noise               [steps, 4, 3] where the sampler is stochastic.

The model is a stand-in: 0.5 tanh(x) + 0.3 cos(t / 200), whatever it is said to predict.

Where diffusers allows it the tables are replaced by float64 ones. What is not compared, because diffusers is at fault:
DDIM takes the step before t to be t - T // N whatever the spacing, so DDIM runs with leading, and with trailing where
N divides T; DDPM's learned variance takes its upper end from the table of single steps, so it runs with N = T;
FlowMatchEuler shifts the smallest sigma twice unless it is handed its sigmas, so it is.
"""

import numpy as np
import torch
from diffusers import (DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler, EulerDiscreteScheduler,
                       FlowMatchEulerDiscreteScheduler, HeunDiscreteScheduler)
from diffusers.schedulers import scheduling_ddim, scheduling_ddpm
from fixture import Fixture

fixture = Fixture("diffusion.safetensors", seed=16)
T = 1000
RANGES = {"linear": (1e-4, 0.02), "scaled_linear": (0.00085, 0.012), "squaredcos_cap_v2": (1e-4, 0.02),
          "sigmoid": (1e-4, 0.02)}


def betas64(schedule, count=T, scale=1.0):
    start, end = (x * scale for x in RANGES[schedule])
    if schedule == "linear":
        return torch.linspace(start, end, count, dtype=torch.float64)
    if schedule == "scaled_linear":
        return torch.linspace(start**0.5, end**0.5, count, dtype=torch.float64) ** 2
    raise ValueError(schedule)


def exact(scheduler, betas, zero=False):
    """The scheduler with its tables in float64."""
    if zero:
        betas = scheduling_ddim.rescale_zero_terminal_snr(betas)
    scheduler.betas = betas
    scheduler.alphas = 1 - betas
    scheduler.alphas_cumprod = torch.cumprod(scheduler.alphas, 0)
    if hasattr(scheduler, "final_alpha_cumprod"):
        scheduler.final_alpha_cumprod = (
            torch.tensor(1.0, dtype=torch.float64) if scheduler.config.set_alpha_to_one else scheduler.alphas_cumprod[0])
    return scheduler


def model(x, t):
    return 0.5 * torch.tanh(x.double()) + 0.3 * torch.cos(torch.as_tensor(t, dtype=torch.float64) / 200)


def settings(schedule="scaled_linear", prediction="epsilon", **more):
    start, end = RANGES[schedule]
    return dict(num_train_timesteps=T, beta_start=start, beta_end=end, beta_schedule=schedule,
                prediction_type=prediction, **more)


for schedule in RANGES:
    for zero in (False, True):
        bars = DDPMScheduler(**settings(schedule), rescale_betas_zero_snr=zero).alphas_cumprod
        fixture.tensors[f"alpha_bar.{schedule}{'_zero' if zero else ''}"] = bars.clone()

for spacing in ("leading", "trailing", "linspace"):
    for n in (1000, 50, 30, 16, 10, 7, 3, 1):
        scheduler = DDIMScheduler(**settings(), timestep_spacing=spacing)
        scheduler.set_timesteps(n)
        fixture.add("timesteps", **{f"{spacing}_{n}": scheduler.timesteps[:n]})

PREDICTIONS = {"noise": "epsilon", "v": "v_prediction"}

# DDIM, deterministic and not, ending in the clean level or in that of step 0.
for name, prediction in PREDICTIONS.items():
    for spacing in ("leading", "trailing"):
        for variant, eta, to_one, zero in (("", 0.0, True, False), ("_eta", 0.7, True, False),
                                           ("_first", 0.0, False, False), ("_zero", 0.0, True, True)):
            if zero and (name == "noise" or spacing == "leading"):
                continue
            s = exact(DDIMScheduler(**settings(prediction=prediction), clip_sample=False, set_alpha_to_one=to_one,
                                    timestep_spacing=spacing), betas64("scaled_linear"), zero)
            s.set_timesteps(10)
            x = start = fixture.normal(4, 3)
            noises, states = [], []
            for t in s.timesteps:
                noises.append(fixture.normal(4, 3))
                x = s.step(model(x, t), t, x, eta=eta, variance_noise=noises[-1] if eta else None).prev_sample
                states.append(x)
            fixture.add(f"ddim_{name}_{spacing}{variant}", start=start, trajectory=torch.stack(states),
                        timesteps=s.timesteps, noise=torch.stack(noises))

# DDPM. Its noise is drawn inside; the drawing is replaced.
for name, prediction in PREDICTIONS.items():
    for spacing in ("leading", "trailing", "linspace"):
        for variance in ("fixed_small", "fixed_large"):
            s = exact(DDPMScheduler(**settings("linear", prediction), clip_sample=False, variance_type=variance,
                                    timestep_spacing=spacing), betas64("linear"))
            s.set_timesteps(10)
            x = start = fixture.normal(4, 3)
            noises, states = [], []
            for t in s.timesteps:
                noises.append(fixture.normal(4, 3))
                scheduling_ddpm.randn_tensor = lambda *a, **k: noises[-1]
                x = s.step(model(x, t), t, x).prev_sample
                states.append(x)
            fixture.add(f"ddpm_{name}_{spacing}_{variance}", start=start, trajectory=torch.stack(states),
                        timesteps=s.timesteps, noise=torch.stack(noises))

# Learned variance, all steps of a table of 50 (scaled by 1000 / 50), 3 channels of one place.
s = DDPMScheduler(num_train_timesteps=50, beta_schedule="linear", clip_sample=False, variance_type="learned_range")
exact(s, betas64("linear", 50, 1000 / 50))
s.set_timesteps(50)
x = start = fixture.normal(4, 3)
noises, states = [], []
for t in s.timesteps:
    noises.append(fixture.normal(4, 3))
    scheduling_ddpm.randn_tensor = lambda *a, **k: noises[-1]
    x = s.step(torch.cat([model(x, t), torch.sin(3 * x)], dim=1), t, x).prev_sample
    states.append(x)
fixture.add("ddpm_learned_range", start=start, trajectory=torch.stack(states), timesteps=s.timesteps,
            noise=torch.stack(noises))

# Euler and Heun, in x / alpha. With linspace, 10 steps of 1000 fall on whole steps.
for name, prediction in PREDICTIONS.items():
    for spacing in ("leading", "trailing", "linspace", "karras"):
        options = dict(timestep_spacing="linspace" if spacing == "karras" else spacing,
                       use_karras_sigmas=spacing == "karras")
        s = exact(EulerDiscreteScheduler(**settings(prediction=prediction), **options), betas64("scaled_linear"))
        s.set_timesteps(10)
        x = start = fixture.normal(4, 3) * s.sigmas[0].double()
        states = []
        for t in s.timesteps:
            x = s.step(model(s.scale_model_input(x, t), t), t, x).prev_sample
            states.append(x)
        fixture.add(f"euler_{name}_{spacing}", start=start, trajectory=torch.stack(states), sigmas=s.sigmas,
                    timesteps=s.timesteps.double())

        s = exact(HeunDiscreteScheduler(**settings(prediction=prediction), **options), betas64("scaled_linear"))
        s.set_timesteps(10)
        x = start = fixture.normal(4, 3) * s.sigmas[0].double()
        states = []
        for i, t in enumerate(s.timesteps):
            x = s.step(model(s.scale_model_input(x, t), t), t, x).prev_sample
            if i % 2 == 1 or i == len(s.timesteps) - 1:
                states.append(x)
        fixture.add(f"heun_{name}_{spacing}", start=start, trajectory=torch.stack(states),
                    sigmas=torch.cat([s.sigmas[:1], s.sigmas[1:-1:2], s.sigmas[-1:]]),
                    timesteps=torch.cat([s.timesteps[:1], s.timesteps[1::2]]).double())

# DPM-Solver++(2M).
for name, prediction in PREDICTIONS.items():
    for spacing in ("leading", "trailing", "linspace"):
        s = exact(DPMSolverMultistepScheduler(**settings(prediction=prediction), timestep_spacing=spacing,
                                              algorithm_type="dpmsolver++", solver_order=2, lower_order_final=False,
                                              final_sigmas_type="zero"), betas64("scaled_linear"))
        s.set_timesteps(10)
        x = start = fixture.normal(4, 3)
        states = []
        for t in s.timesteps:
            x = s.step(model(x, t), t, x).prev_sample
            states.append(x)
        fixture.add(f"dpm_{name}_{spacing}", start=start, trajectory=torch.stack(states), timesteps=s.timesteps)

# Rectified flow: sigma = 1 - t, velocity = noise - data.
for shift in (1.0, 3.0):
    s = FlowMatchEulerDiscreteScheduler(shift=shift)
    s.set_timesteps(sigmas=np.linspace(1, 0.1, 10))
    x = start = fixture.normal(4, 3)
    states = []
    for i, t in enumerate(s.timesteps):
        x = s.step(model(x, 1000 * s.sigmas[i].double()), t, x).prev_sample
        states.append(x)
    fixture.add(f"flow_shift{shift:.0f}", start=start, trajectory=torch.stack(states), sigmas=s.sigmas)

fixture.save()
