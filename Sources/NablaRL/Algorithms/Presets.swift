/// Settings that are known to work, by environment.
public enum Presets {
  /// Nabla's own settings for an environment; defaults for one that has none.
  public static func ppo(for environment: String) -> PPOConfiguration {
    var c = zoo(for: environment)
    switch environment {
    case "CartPole-v1":
      // More environments, and a third of the epochs at three times the learning rate. Chosen on 140 seeds, of which none
      // ended below 475; at the zoo's discount up to one in ten did.
      (c.environmentCount, c.rolloutSteps, c.minibatchSize, c.epochs) = (32, 32, 256, 6)
      (c.discount, c.lambda, c.learningRate, c.totalSteps) = (0.99, 0.9, 3e-3, 140_000)
    case "Pendulum-v1":
      // The zoo's settings rely on state-dependent exploration noise, which Nabla does not have.
      (c.rolloutSteps, c.discount, c.annealsLearningRate, c.normalizesRewards) = (512, 0.97, true, true)
    case "MountainCarContinuous-v0":
      // So do these. Plain noise is enough where 32 cars try for long, and one of them finds the flag.
      c = PPOConfiguration()
      (c.environmentCount, c.rolloutSteps, c.minibatchSize, c.epochs) = (32, 256, 1024, 8)
      (c.learningRate, c.totalSteps) = (1e-3, 300_000)
      (c.normalizesObservations, c.normalizesRewards) = (true, true)
    default: break
    }
    return c
  }

  /// The settings of rl-baselines3-zoo (hyperparams/ppo.yml), by which Nabla is compared with Stable-Baselines3.
  public static func zoo(for environment: String) -> PPOConfiguration {
    var c = PPOConfiguration()
    switch environment {
    case "CartPole-v1":
      (c.environmentCount, c.rolloutSteps, c.minibatchSize, c.epochs) = (8, 32, 256, 20)
      (c.discount, c.lambda, c.learningRate, c.clipRange) = (0.98, 0.8, 1e-3, 0.2)
      (c.annealsLearningRate, c.annealsClipRange, c.totalSteps) = (true, true, 100_000)
    case "Acrobot-v1":
      (c.environmentCount, c.rolloutSteps, c.minibatchSize, c.epochs) = (16, 256, 64, 4)
      (c.discount, c.lambda, c.totalSteps) = (0.99, 0.94, 1_000_000)
      (c.normalizesObservations, c.normalizesRewards) = (true, true)
    case "Pendulum-v1":
      (c.environmentCount, c.rolloutSteps, c.minibatchSize, c.epochs) = (4, 1024, 64, 10)
      (c.discount, c.lambda, c.learningRate, c.totalSteps) = (0.9, 0.95, 1e-3, 100_000)
    case "MountainCar-v0":
      (c.environmentCount, c.rolloutSteps, c.minibatchSize, c.epochs) = (16, 16, 64, 4)
      (c.discount, c.lambda, c.totalSteps) = (0.99, 0.98, 1_000_000)
      (c.normalizesObservations, c.normalizesRewards) = (true, true)
    case "MountainCarContinuous-v0":
      (c.environmentCount, c.rolloutSteps, c.minibatchSize, c.epochs) = (1, 8, 8, 10)
      (c.discount, c.lambda, c.learningRate, c.clipRange) = (0.9999, 0.9, 7.77e-5, 0.1)
      (c.entropyCoefficient, c.valueCoefficient, c.maxGradientNorm) = (0.00429, 0.19, 5)
      (c.initialLogStandardDeviation, c.totalSteps) = (-3.29, 20_000)
      (c.normalizesObservations, c.normalizesRewards) = (true, true)
    default: break
    }
    return c
  }

  /// Where PPO looks further ahead than the zoo does, other algorithms do not.
  private static func discount(for environment: String) -> Float {
    environment == "CartPole-v1" ? zoo(for: environment).discount : ppo(for: environment).discount
  }

  /// A2C's settings for an environment: PPO's, where both have them, with short rollouts.
  public static func a2c(for environment: String) -> A2CConfiguration {
    let ppo = ppo(for: environment)
    var c = A2CConfiguration()
    (c.environmentCount, c.totalSteps, c.discount) = (8, ppo.totalSteps, discount(for: environment))
    (c.normalizesObservations, c.normalizesRewards) = (ppo.normalizesObservations, ppo.normalizesRewards)
    (c.hiddenWidths, c.activation, c.squashesActions) = (ppo.hiddenWidths, ppo.activation, ppo.squashesActions)
    return c
  }

  /// REINFORCE's settings for an environment.
  public static func reinforce(for environment: String) -> REINFORCEConfiguration {
    let ppo = ppo(for: environment)
    var c = REINFORCEConfiguration()
    (c.totalSteps, c.discount) = (ppo.totalSteps, discount(for: environment))
    (c.normalizesObservations, c.normalizesRewards) = (ppo.normalizesObservations, ppo.normalizesRewards)
    (c.hiddenWidths, c.activation, c.squashesActions) = (ppo.hiddenWidths, ppo.activation, ppo.squashesActions)
    return c
  }
}
