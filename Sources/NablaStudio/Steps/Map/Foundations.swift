extension MapStep {
  /// What the first thirteen chapters teach and the algorithms use.
  static let foundations: [Concept] = [
    Concept(
      id: "dot-product", name: "Dot product", field: .linearAlgebra,
      what:
        "Multiply two vectors number by number and add up. Large where they point the same way, zero where they are "
        + "at right angles: a measure of likeness.",
      formula: #"a \cdot b = \textstyle\sum_i a_i b_i"#, steps: ["attention"],
      files: ["Sources/NablaTensor/Operations/MatrixProduct.swift"], documents: ["Documentation/attention.md"]),
    Concept(
      id: "matrix-multiplication", name: "Matrix multiplication", field: .linearAlgebra,
      what: "All dot products of the rows of one matrix with the columns of another. Nearly all the time of a model is "
        + "spent on it.",
      formula: #"(AB)_{ij} = \textstyle\sum_k A_{ik} B_{kj}"#, uses: ["dot-product"],
      steps: ["attention", "transformer", "lora"], files: ["Sources/NablaTensor/Operations/MatrixProduct.swift"],
      documents: ["Documentation/tensors-and-gradients.md"]),
    Concept(
      id: "linear-combination", name: "Linear combination", field: .linearAlgebra,
      what: "Vectors scaled and added. Attention's output is one: of values, with the weights as scales.",
      formula: #"\textstyle\sum_i w_i v_i"#, steps: ["attention"],
      files: ["Sources/NablaStudio/Steps/Attention/AttendHead.swift"], documents: ["Documentation/attention.md"]),
    Concept(
      id: "rotation", name: "Rotation", field: .linearAlgebra,
      what:
        "A matrix that moves vectors around the origin and keeps lengths and angles between them. Two rotations after "
        + "each other add their angles.",
      formula: #"R_\alpha R_\beta = R_{\alpha+\beta}"#, uses: ["matrix-multiplication"], steps: ["attention"],
      files: ["Sources/NablaTensor/Operations/Rotary.swift"], documents: ["Documentation/positions.md"]),
    Concept(
      id: "svd", name: "Singular values", field: .linearAlgebra,
      what:
        "Every matrix is a rotation, a stretch along axes, and another rotation. The stretches, largest first, tell how "
        + "much of it a few directions hold.",
      formula: #"A = U \Sigma V^{\top}"#, uses: ["matrix-multiplication", "rotation"], steps: ["lora"],
      files: ["Sources/NablaTensor/LinearAlgebra/SingularValueDecomposition.swift"],
      documents: ["Documentation/lora.md"]),
    Concept(
      id: "low-rank", name: "Low rank", field: .linearAlgebra,
      what: "A matrix that is a product of a tall one and a wide one has few directions of its own, and few numbers.",
      formula: #"\Delta W = BA,\ B: d \times r,\ A: r \times d"#, uses: ["svd"], steps: ["lora"],
      files: ["Sources/NablaTensor/Operations/LowRankLinear.swift"], documents: ["Documentation/lora.md"]),
    Concept(
      id: "tensor", name: "Tensors", field: .linearAlgebra,
      what:
        "Numbers in a grid of any number of dimensions. The shape [B, H, T, d] says: for each text, each head, each "
        + "token, d numbers.",
      steps: ["attention"], files: ["Sources/NablaTensor/Tensor.swift"],
      documents: ["Documentation/tensors-and-gradients.md"]),

    Concept(
      id: "derivative", name: "Derivative", field: .calculus,
      what: "How fast a result changes with its input: the slope of the tangent.",
      formula: #"f'(x) = \lim_{h \to 0} \frac{f(x+h) - f(x)}{h}"#, steps: ["attention"],
      files: ["Sources/NablaTensor/Operations/Unary.swift"], documents: ["Documentation/tensors-and-gradients.md"]),
    Concept(
      id: "gradient", name: "Gradient", field: .calculus,
      what: "All partial derivatives of a number, one for each weight: the direction in which it grows fastest.",
      formula: #"\nabla_\theta L"#, uses: ["derivative"], steps: ["transformer", "diffusion"],
      files: ["Sources/NablaTensor/Autograd.swift"], documents: ["Documentation/tensors-and-gradients.md"]),
    Concept(
      id: "chain-rule", name: "Chain rule", field: .calculus,
      what: "Derivatives of functions in a row multiply. Applied from the end to the beginning it is backpropagation.",
      formula: #"(f \circ g)' = (f' \circ g)\, g'"#, uses: ["derivative"], steps: ["transformer"],
      files: ["Sources/NablaTensor/Autograd.swift"], documents: ["Documentation/tensors-and-gradients.md"]),
    Concept(
      id: "gradient-descent", name: "Gradient descent", field: .calculus,
      what:
        "Walk downhill: move every weight a little against its part of the gradient, and do it again. Adam gives each "
        + "weight its own step length.",
      formula: #"\theta \leftarrow \theta - \eta\, \nabla_\theta L"#, uses: ["gradient", "chain-rule"],
      steps: ["transformer", "rlhf"], files: ["Sources/NablaNN/Optimizers/AdamW.swift"],
      documents: ["Documentation/optimizers.md"]),
    Concept(
      id: "residual-connection", name: "Residual connection", field: .calculus,
      what:
        "Add what a layer computes to what it was given. The derivative of x + f(x) holds a 1, so that gradients reach "
        + "the first layers undiminished.",
      formula: #"y = x + f(x)"#, uses: ["chain-rule"], steps: ["transformer"],
      files: ["Sources/NablaNN/Layers/TransformerBlock.swift"], documents: ["Documentation/transformer-block.md"]),
    Concept(
      id: "constrained-optimization", name: "Constrained optimization", field: .calculus,
      what: "The best under a condition: the lowest loss for a budget, the highest reward near a reference.",
      uses: ["gradient"], steps: ["rlhf", "scaling"], files: ["Sources/NablaScaling/Laws/Chinchilla.swift"],
      documents: ["Documentation/planning.md"]),
    Concept(
      id: "differential-equation", name: "Differential equations", field: .calculus,
      what:
        "A path that is told by its velocity at every place, followed in small steps; with noise at each step it is a "
        + "stochastic one.",
      formula: #"dx = f(x, t)\,dt + g(t)\,dw"#, uses: ["derivative"], steps: ["diffusion"],
      files: ["Sources/NablaDiffusion/Samplers/ODESolver.swift"], documents: ["Documentation/sdes-and-odes.md"]),

    Concept(
      id: "conditional-probability", name: "Conditional probability", field: .probability,
      what: "How likely something is once something else is known. A language model gives the next token's, given all "
        + "before.",
      formula: #"p(a \mid b) = \frac{p(a, b)}{p(b)}"#, steps: ["transformer"],
      files: ["Sources/NablaLanguage/Model/TransformerLM+Losses.swift"], documents: ["Documentation/cross-entropy.md"]),
    Concept(
      id: "bayes", name: "Bayes’ theorem", field: .probability,
      what: "What is believed after seeing: the prior times how well it explains what was seen.",
      formula: #"p(a \mid b) \propto p(b \mid a)\, p(a)"#, uses: ["conditional-probability"],
      steps: ["diffusion", "rlhf"],
      files: ["Sources/NablaDiffusion/Samplers/AncestralDDPM.swift"], documents: ["Documentation/diffusion.md"]),
    Concept(
      id: "variance", name: "Mean and variance", field: .probability,
      what: "Where numbers lie, and how widely they spread. Variances of independent numbers add up.",
      formula: #"\operatorname{Var}(x) = \mathbb{E}(x - \mathbb{E}x)^2"#, steps: ["attention", "transformer", "rlhf"],
      files: ["Sources/NablaTensor/Operations/Reduction.swift"], documents: ["Documentation/transformer-block.md"]),
    Concept(
      id: "gaussian", name: "Gaussian distribution", field: .probability,
      what: "The bell curve: what sums of many small accidents look like. Sums of Gaussians are Gaussian again.",
      formula: #"\mathcal{N}(\mu, \sigma^2)"#, uses: ["variance"], steps: ["diffusion"],
      files: ["Sources/NablaTensor/RandomSource.swift", "Sources/NablaDiffusion/Processes/GaussianProcess.swift"],
      documents: ["Documentation/diffusion.md"]),
    Concept(
      id: "maximum-likelihood", name: "Maximum likelihood", field: .probability,
      what: "Choose the weights under which what was seen is the least surprising.",
      formula: #"\max_\theta \textstyle\sum_i \ln p_\theta(x_i)"#, uses: ["conditional-probability"],
      steps: ["transformer", "rlhf"], files: ["Sources/NablaTensor/Operations/CrossEntropy.swift"],
      documents: ["Documentation/cross-entropy.md"]),
    Concept(
      id: "logistic-regression", name: "Logistic regression", field: .probability,
      what:
        "The probability of a yes as a sigmoid of a score. Comparing two answers by the difference of their scores is the "
        + "Bradley-Terry model.",
      formula: #"p = \sigma(s) = \frac{1}{1 + e^{-s}}"#, uses: ["maximum-likelihood"], steps: ["rlhf"],
      files: ["Sources/NablaNN/Objectives/Preference.swift"], documents: ["Documentation/dpo.md"]),
    Concept(
      id: "least-squares", name: "Least squares", field: .probability,
      what: "The line with the smallest sum of squared distances; in logarithms it fits powers.",
      formula: #"\min \textstyle\sum_i (y_i - f(x_i))^2"#, uses: ["gaussian"], steps: ["scaling", "diffusion"],
      files: ["Sources/NablaScaling/Fitting/Statistics.swift"], documents: ["Documentation/scaling-laws.md"]),

    Concept(
      id: "softmax", name: "Softmax", field: .information,
      what: "Makes positive weights that sum to one of any numbers: exponentials, divided by their sum.",
      formula: #"w_i = \frac{e^{s_i}}{\sum_j e^{s_j}}"#, steps: ["attention", "transformer"],
      files: ["Sources/NablaTensor/Operations/Softmax.swift"], documents: ["Documentation/attention.md"]),
    Concept(
      id: "log-sum-exp", name: "Log-sum-exp", field: .information,
      what: "Subtract the largest number before taking exponentials, and nothing overflows; add it again at the end.",
      formula: #"\ln \textstyle\sum_j e^{s_j} = m + \ln \textstyle\sum_j e^{s_j - m}"#, uses: ["softmax"],
      steps: ["attention"], files: ["Sources/NablaStudio/Steps/Attention/TiledAttention.swift"],
      documents: ["Documentation/attention.md"]),
    Concept(
      id: "logarithm", name: "Logarithm", field: .information,
      what: "Turns products into sums and powers into slopes.", formula: #"\ln(ab) = \ln a + \ln b"#,
      steps: ["scaling"],
      files: ["Sources/NablaScaling/Fitting/PowerLawFit.swift"], documents: ["Documentation/scaling-laws.md"]),
    Concept(
      id: "entropy", name: "Entropy", field: .information,
      what: "How uncertain a distribution leaves one, in nats: 0 for certainty, ln n for n equal chances.",
      formula: #"H(p) = -\textstyle\sum_i p_i \ln p_i"#, uses: ["logarithm"], steps: ["attention", "transformer"],
      files: ["Sources/NablaStudio/Steps/Attention/AttendHead.swift"], documents: ["Documentation/cross-entropy.md"]),
    Concept(
      id: "cross-entropy", name: "Cross-entropy", field: .information,
      what: "How surprised a model is, on average, by what happens. The loss of every language model.",
      formula: #"-\textstyle\sum_i p_i \ln q_i"#, uses: ["entropy", "maximum-likelihood"],
      steps: ["transformer", "rlhf", "scaling"], files: ["Sources/NablaTensor/Operations/CrossEntropy.swift"],
      documents: ["Documentation/cross-entropy.md"]),
    Concept(
      id: "kl-divergence", name: "KL divergence", field: .information,
      what: "How much worse it is to expect q where p happens. A leash on models that learn from rewards.",
      formula: #"\operatorname{KL}(p \Vert q) = \textstyle\sum_i p_i \ln \frac{p_i}{q_i}"#, uses: ["cross-entropy"],
      steps: ["rlhf", "diffusion"], files: ["Sources/NablaNN/Objectives/KLDivergence.swift"],
      documents: ["Documentation/grpo.md"]),
    Concept(
      id: "layer-normalization", name: "Layer normalization", field: .information,
      what: "Brings each token's vector to unit spread before a layer reads it, whatever was added before.",
      formula: #"\frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}}"#, uses: ["variance", "numerical-stability"],
      steps: ["transformer"], files: ["Sources/NablaTensor/Operations/Normalization.swift"],
      documents: ["Documentation/transformer-block.md"]),
    Concept(
      id: "numerical-stability", name: "Numerical stability", field: .information,
      what:
        "Formulas that are equal on paper differ in a computer of finite digits; the one whose steps stay small wins.",
      steps: ["attention"], files: ["Sources/NablaTensor/Operations/Attention.swift"],
      documents: ["Documentation/attention.md"]),
    Concept(
      id: "quantization", name: "Quantization", field: .information,
      what: "Weights rounded to a few levels, 16 with four bits, with a scale for each small block.",
      uses: ["numerical-stability"], steps: ["lora"], files: ["Sources/NablaTensor/NF4.swift"],
      documents: ["Documentation/quantization.md", "Documentation/qlora.md"]),
  ]
}
