extension MapStep {
  /// What is made of the foundations.
  static let algorithms: [Concept] = [
    Concept(
      id: "attention", name: "Self-attention", field: .algorithms,
      what: "Every token asks all others and blends what they hand over.",
      formula: #"\operatorname{softmax}(QK^{\top}/\sqrt{d})\,V"#,
      uses: [
        "dot-product", "matrix-multiplication", "softmax", "log-sum-exp", "linear-combination", "variance", "tensor",
      ],
      steps: ["attention"],
      files: ["Sources/NablaTensor/Operations/Attention.swift", "Sources/NablaNN/Layers/Attention.swift"],
      documents: ["Documentation/attention.md"]),
    Concept(
      id: "rope", name: "Rotary positions", field: .algorithms,
      what: "Queries and keys rotated by their positions, so that only distances count.",
      formula: #"(R_m q)^{\top}(R_n k) = q^{\top} R_{n-m} k"#, uses: ["rotation", "attention"], steps: ["attention"],
      files: ["Sources/NablaTensor/Operations/Rotary.swift"], documents: ["Documentation/positions.md"]),
    Concept(
      id: "gqa", name: "Grouped-query attention", field: .algorithms,
      what: "Query heads share keys and values in groups: the cache shrinks by the size of a group.",
      formula: #"2 L G d T \cdot \text{bytes}"#, uses: ["attention"], steps: ["attention"],
      files: ["Sources/NablaNN/Layers/KeyValueCache.swift"], documents: ["Documentation/kv-cache.md"]),
    Concept(
      id: "flash-attention", name: "Flash attention", field: .algorithms,
      what: "The softmax piece by piece with a running maximum and sum: memory linear in the context.",
      uses: ["attention", "log-sum-exp", "numerical-stability"], steps: ["attention"],
      files: ["Sources/NablaTensor/Operations/Attention.swift"], documents: ["Documentation/attention.md"]),
    Concept(
      id: "transformer", name: "Transformer", field: .algorithms,
      what: "Attention and feed-forward layers in turn, each adding to a stream.",
      uses: ["attention", "residual-connection", "layer-normalization", "matrix-multiplication"],
      steps: ["transformer"],
      files: ["Sources/NablaLanguage/Model/Transformer.swift"], documents: ["Documentation/transformer-block.md"]),
    Concept(
      id: "pretraining", name: "Next-token training", field: .algorithms,
      what: "Predict each next token of much text; what is learned on the way is the model.",
      uses: ["transformer", "cross-entropy", "gradient-descent", "maximum-likelihood"], steps: ["transformer"],
      files: ["Sources/NablaLanguage/Training/Pretraining.swift"], documents: ["Documentation/pretraining.md"]),
    Concept(
      id: "ddpm", name: "Diffusion", field: .algorithms,
      what:
        "Learn to tell the noise in a noisy thing; then take it away step by step, starting from nothing but noise.",
      formula: #"\mathbb{E}\,\lVert \epsilon - \epsilon_\theta(x_t, t) \rVert^2"#,
      uses: ["gaussian", "least-squares", "bayes"],
      steps: ["diffusion"], files: ["Sources/NablaDiffusion/Objectives/DDPMObjective.swift"],
      documents: ["Documentation/diffusion.md"]),
    Concept(
      id: "score-matching", name: "Score matching", field: .algorithms,
      what: "Learn the gradient of the log-density: arrows that point to where the data are.",
      formula: #"\nabla_x \ln p(x)"#, uses: ["gradient", "gaussian", "ddpm"], steps: ["diffusion"],
      files: ["Sources/NablaDiffusion/Objectives/ScoreObjective.swift"],
      documents: ["Documentation/score-and-langevin.md"]),
    Concept(
      id: "flow-matching", name: "Flow matching", field: .algorithms,
      what: "Learn the velocity of straight paths from noise to data, and follow it.",
      uses: ["differential-equation", "least-squares"], steps: ["diffusion"],
      files: ["Sources/NablaDiffusion/Objectives/FlowObjective.swift"], documents: ["Documentation/flow-matching.md"]),
    Concept(
      id: "reward-model", name: "Reward model", field: .algorithms,
      what: "Scores learned from comparisons: which of two answers people prefer.",
      formula: #"-\ln \sigma(r_w - r_l)"#, uses: ["logistic-regression", "cross-entropy"], steps: ["rlhf"],
      files: ["Sources/NablaAlignment/RewardModel.swift", "Sources/NablaNN/Objectives/Preference.swift"],
      documents: ["Documentation/reward-model.md"]),
    Concept(
      id: "ppo", name: "PPO", field: .algorithms,
      what: "Make actions that went better than expected likelier, and stop where the policy has moved far enough.",
      formula: #"\min\big(\rho A,\ \operatorname{clip}(\rho, 1 - \epsilon, 1 + \epsilon) A\big)"#,
      uses: ["gradient-descent", "variance", "constrained-optimization"], steps: ["rlhf"],
      files: ["Sources/NablaRL/Algorithms/PPO.swift", "Sources/NablaNN/Objectives/PolicyGradient.swift"],
      documents: ["Documentation/ppo.md"]),
    Concept(
      id: "rlhf", name: "RLHF", field: .algorithms,
      what: "Raise a reward that people taught, on a leash to the model one started from.",
      formula: #"\max\ \mathbb{E}\,r - \beta \operatorname{KL}(\pi \Vert \pi_{\text{ref}})"#,
      uses: ["reward-model", "ppo", "kl-divergence", "bayes"], steps: ["rlhf"],
      files: ["Sources/NablaAlignment/RLHF/RLHF.swift"], documents: ["Documentation/rlhf.md"]),
    Concept(
      id: "dpo", name: "DPO", field: .algorithms,
      what: "Learn from preferences without a reward model: logistic regression on log-probabilities.",
      uses: ["logistic-regression", "kl-divergence"], steps: ["rlhf"], files: ["Sources/NablaAlignment/DPO/DPO.swift"],
      documents: ["Documentation/dpo.md"]),
    Concept(
      id: "grpo", name: "GRPO", field: .algorithms,
      what: "PPO without a critic: an answer is as good as it beats the others to the same question.",
      formula: #"A_i = \frac{r_i - \bar r}{\sigma_r}"#, uses: ["ppo", "variance", "kl-divergence"], steps: ["rlhf"],
      files: ["Sources/NablaAlignment/GRPO/GRPO.swift", "Sources/NablaNN/Objectives/GroupRelative.swift"],
      documents: ["Documentation/grpo.md"]),
    Concept(
      id: "lora", name: "LoRA", field: .algorithms,
      what: "Freeze the weights and learn a low-rank change to them.", formula: #"W + \tfrac{\alpha}{r} BA"#,
      uses: ["low-rank", "svd", "matrix-multiplication"], steps: ["lora"],
      files: ["Sources/NablaNN/Adapters/LoRALinear.swift"],
      documents: ["Documentation/lora.md"]),
    Concept(
      id: "qlora", name: "QLoRA", field: .algorithms,
      what: "LoRA on a base whose weights have four bits.", uses: ["lora", "quantization"], steps: ["lora"],
      files: ["Sources/NablaTensor/NF4.swift"], documents: ["Documentation/qlora.md"]),
    Concept(
      id: "scaling-laws", name: "Scaling laws", field: .algorithms,
      what: "Loss falls as a power of size, text and compute; so small models tell of large ones.",
      formula: #"L = E + A N^{-\alpha} + B D^{-\beta}"#,
      uses: ["logarithm", "least-squares", "constrained-optimization", "cross-entropy"], steps: ["scaling"],
      files: ["Sources/NablaScaling/Laws/Chinchilla.swift"], documents: ["Documentation/scaling-laws.md"]),
  ]
}
