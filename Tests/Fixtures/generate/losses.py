"""losses.safetensors: losses forward and backward. Every loss is a mean; its upstream gradient is 1.

Cross-entropy cases have `logits` [8, 11], `targets` [8] int32 (-100 is ignored), `output` [] and `logits_gradient`.
The mean is over the targets that are not ignored.
  cross_entropy                      plain
  cross_entropy_large                logits of about ±1e4
  cross_entropy_smoothing            label smoothing 0.1: 0.9 on the target and 0.1 spread over all 11 classes
  cross_entropy_ignore               three targets ignored
  cross_entropy_smoothing_ignore     both
  cross_entropy_z                    + 1e-4 · mean(logsumexp²), with three targets ignored in both means
Regression cases have `prediction` [4, 9], `target` [4, 9], `output` [] and both gradients.
  mse
  bce_logits                         `prediction` holds logits, some ±100; `target` in [0, 1]
  huber, huber_half                  delta 1 and 0.5
  smooth_l1, smooth_l1_half          beta 1 and 0.5
"""

import torch
import torch.nn.functional as F
from fixture import Fixture

fixture = Fixture("losses.safetensors", seed=2)
normal = fixture.normal
targets = fixture.integers(0, 11, 8)
some_ignored = targets.clone()
some_ignored[[0, 3, 7]] = -100


def z_loss(logits, targets):
    z = logits.logsumexp(-1)[targets != -100]
    return F.cross_entropy(logits, targets) + 1e-4 * (z * z).mean()


def smoothed(logits, targets):
    return F.cross_entropy(logits, targets, label_smoothing=0.1)


for name, function, scale, t in [
    ("", F.cross_entropy, 2, targets),
    ("_large", F.cross_entropy, 1e4, targets),
    ("_smoothing", smoothed, 2, targets),
    ("_ignore", F.cross_entropy, 2, some_ignored),
    ("_smoothing_ignore", smoothed, 2, some_ignored),
    ("_z", z_loss, 10, some_ignored),
]:
    fixture.record(
        "cross_entropy" + name, lambda logits, targets: function(logits, targets),
        logits=normal(8, 11, scale=scale), targets=t)

logits = normal(4, 9, scale=3)
logits[0, 0], logits[0, 1], logits[0, 2], logits[0, 3] = 100, -100, 100, -100
labels = torch.sigmoid(normal(4, 9)).float().double()
labels[0, :4] = torch.tensor([1.0, 0.0, 0.0, 1.0])
fixture.record(
    "bce_logits", lambda prediction, target: F.binary_cross_entropy_with_logits(prediction, target),
    prediction=logits, target=labels)
for case, function in [
    ("mse", F.mse_loss),
    ("huber", F.huber_loss), ("huber_half", lambda p, t: F.huber_loss(p, t, delta=0.5)),
    ("smooth_l1", F.smooth_l1_loss), ("smooth_l1_half", lambda p, t: F.smooth_l1_loss(p, t, beta=0.5)),
]:
    fixture.record(
        case, lambda prediction, target: function(prediction, target),
        prediction=normal(4, 9, scale=1.5), target=normal(4, 9))
fixture.save()
