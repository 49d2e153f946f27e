import NablaReport

extension Equation {
  /// Next-token cross-entropy.
  package static let crossEntropy = Equation(
    #"\mathcal{L} = -\frac{1}{N} \sum_{t=1}^{N} \ln p_\theta(x_t \mid x_{<t})"#,
    "The loss: mean cross-entropy of the next token, in nats. Perplexity is its exponential; ln 2 nats are one bit.")

  static let attention = Equation(
    #"\operatorname{softmax}\!\left(\frac{Q K^\top}{\sqrt{d}} + M\right) V"#,
    "Scaled dot-product attention (Vaswani et al. 2017): the maps show the softmax. M is the mask.")

  static let attentionEntropy = Equation(
    #"H = -\frac{1}{T} \sum_{i} \sum_{j} a_{ij} \ln a_{ij}"#,
    "The mean entropy of a head's rows: how broadly its queries attend.")

  static let temperature = Equation(
    #"a_{ij}(\tau) = \frac{e^{s_{ij}/\tau}}{\sum_k e^{s_{ik}/\tau}} = \frac{a_{ij}^{1/\tau}}{\sum_k a_{ik}^{1/\tau}}"#,
    "Softmax at temperature τ: the weights of the model (τ = 1) give those of every other temperature.")

  static let attentionCost = Equation(
    #"\underbrace{2\,T^2 H d}_{\text{attention}} \quad\text{against}\quad \underbrace{2\,m\,T\,C F}_{\text{feed-forward}}"#,
    "Operations of a layer for T tokens, forward: Q Kᵀ and the weighted sum of V over the half that the mask leaves, and "
      + "m matrices of C × F (3 with SwiGLU, else 2).")

  static let rotary = Equation(
    #"\theta_i = m \cdot b^{-2i/d}, \qquad \begin{pmatrix} q_{2i}' \\ q_{2i+1}' \end{pmatrix} ="#
      + #" \begin{pmatrix} \cos\theta_i & -\sin\theta_i \\ \sin\theta_i & \cos\theta_i \end{pmatrix}"#
      + #" \begin{pmatrix} q_{2i} \\ q_{2i+1} \end{pmatrix}"#,
    "Position m rotates each pair of dimensions by its own angle (Su et al. 2021); b is the base, d the head size.")

  static let sinusoidal = Equation(
    #"P_{m,2i} = \sin\!\left(m / 10000^{2i/d}\right), \qquad P_{m,2i+1} = \cos\!\left(m / 10000^{2i/d}\right)"#,
    "Added to the embedding of position m (Vaswani et al. 2017).")
}
