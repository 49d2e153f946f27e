import NablaReport

extension Equation {
  /// What a model is trained to predict, and from what.
  static func objective(of c: DiffusionConfiguration) -> [Equation] {
    switch c.objective {
    case .ddpm:
      let target =
        switch c.prediction {
        case .noise: #"\epsilon"#
        case .data: #"x_0"#
        case .v: #"\left(\sqrt{\bar\alpha_t}\, \epsilon - \sqrt{1 - \bar\alpha_t}\, x_0\right)"#
        }
      return [
        Equation(
          #"x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon,"#
            + #" \qquad \epsilon \sim \mathcal{N}(0, I)"#,
          "The forward process: scaled data plus noise (Ho et al. 2020, equation 4)."),
        Equation(
          #"\mathcal{L} = \mathbb{E}_{x_0, \epsilon, t}\left[w_t \left\lVert f_\theta(x_t, t) - "# + target
            + #" \right\rVert^2\right]"#,
          "The network learns to predict \(c.prediction == .noise ? "the noise" : c.prediction == .data ? "the data" : "v")."
        ),
      ]
    case .score:
      return [
        Equation(
          #"\mathcal{L} = \mathbb{E}\left[\left\lVert \sigma_t\, s_\theta(x_t, t) + \epsilon \right\rVert^2\right],"#
            + #" \qquad x_t = \alpha_t x_0 + \sigma_t \epsilon"#,
          "Denoising score matching (Song et al. 2021): s is the gradient of the log-density of noisy data."),
        Equation(
          #"\mathrm{d}x = \left[f(x, t) - g(t)^2\, \nabla_x \ln p_t(x)\right] \mathrm{d}t + g(t)\, \mathrm{d}\bar{w}"#,
          "Sampling integrates the reverse-time SDE, with s in place of the gradient."),
      ]
    case .edm:
      return [
        Equation(
          #"D_\theta(x; \sigma) = c_{\text{skip}}\, x + c_{\text{out}}\, F_\theta(c_{\text{in}}\, x;\, c_{\text{noise}})"#,
          "The denoiser around the network F (Karras et al. 2022, equation 7)."),
        Equation(
          #"\mathcal{L} = \mathbb{E}\left[\lambda(\sigma) \left\lVert D_\theta(x_0 + \sigma \epsilon; \sigma) - x_0"#
            + #" \right\rVert^2\right]"#,
          "The loss; λ weights all noise levels equally."),
      ]
    case .flow:
      return [
        Equation(
          #"\mathcal{L} = \mathbb{E}\left[\left\lVert v_\theta(x_t, t) - (x_1 - x_0) \right\rVert^2\right],"#
            + #" \qquad x_t = t\, x_1 + (1 - t)\, x_0"#,
          "Flow matching (Lipman et al. 2023): the velocity along straight lines from noise x₀ to data x₁."),
        Equation(
          #"\frac{\mathrm{d}x}{\mathrm{d}t} = v_\theta(x, t)"#, "Sampling integrates the velocity from noise to data."),
      ]
    }
  }
}
