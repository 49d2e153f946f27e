import NablaNN
import NablaReport

extension Equation {
  static let supervised = Equation(
    #"\mathcal{L}_{\text{SFT}} = -\frac{1}{N} \sum_{t \in \text{completion}} \ln \pi_\theta(y_t \mid x, y_{<t})"#,
    "Supervised fine-tuning: cross-entropy over the N tokens of the completions; those of the prompts are masked.")

  /// Rafailov et al. 2023, equation 7.
  static let directPreference = Equation(
    #"\mathcal{L}_{\text{DPO}} = -\mathbb{E}\left[\ln \sigma\!\left(\beta \ln"#
      + #" \frac{\pi_\theta(y_w \mid x)}{\pi_{\text{ref}}(y_w \mid x)} - \beta \ln"#
      + #" \frac{\pi_\theta(y_l \mid x)}{\pi_{\text{ref}}(y_l \mid x)}\right)\right]"#,
    "Direct preference optimization (Rafailov et al. 2023): the chosen completion w against the rejected l.")

  static let implicitReward = Equation(
    #"\hat{r}(x, y) = \beta \ln \frac{\pi_\theta(y \mid x)}{\pi_{\text{ref}}(y \mid x)}"#,
    "The reward that the policy implies; its margin between chosen and rejected is what the curves show.")

  /// Shao et al. 2024, equation 3.
  static let groupRelative = Equation(
    #"\mathcal{L}_{\text{GRPO}} = -\mathbb{E}\left[\min\!\left(r_t \hat{A}_i,\;"#
      + #" \operatorname{clip}(r_t, 1 - \epsilon, 1 + \epsilon)\, \hat{A}_i\right) - \beta\,"#
      + #" \mathrm{KL}(\pi_\theta \,\|\, \pi_{\text{ref}})\right]"#,
    "Group relative policy optimization (Shao et al. 2024), over the tokens t of the completions i.")

  static let groupAdvantage = Equation(
    #"\hat{A}_i = \frac{R_i - \operatorname{mean}(R_1, \dots, R_G)}{\operatorname{std}(R_1, \dots, R_G)},"#
      + #" \qquad r_t = \frac{\pi_\theta(y_t \mid x, y_{<t})}{\pi_{\text{old}}(y_t \mid x, y_{<t})}"#,
    "A completion is compared with the others of its prompt; no value network is needed.")

  /// Bradley and Terry 1952; Ouyang et al. 2022, equation 1.
  static let bradleyTerry = Equation(
    #"\mathcal{L} = -\mathbb{E}\left[\ln \sigma\!\left(r_\theta(x, y_w) - r_\theta(x, y_l)\right)\right]"#,
    "A reward model (Bradley and Terry 1952): the chosen completion w has the larger reward.")

  /// How an adapter changes a layer (Hu et al. 2021, section 4.1; Liu et al. 2024, equation 5).
  static func adapter(of lora: LoRAConfiguration) -> Equation {
    let scale = lora.usesRankStabilization ? #"\frac{\alpha}{\sqrt{r}}"# : #"\frac{\alpha}{r}"#
    let (rank, alpha) = (lora.rank, lora.alpha)
    let direction = #"W_0 + "# + scale + #" B A"#
    let shapes = #", \qquad A \in \mathbb{R}^{r \times d_{\text{in}}},\; B \in \mathbb{R}^{d_{\text{out}} \times r}"#
    return lora.usesMagnitude
      ? Equation(
        #"W = m\, \frac{"# + direction + #"}{\lVert "# + direction + #" \rVert}"# + shapes,
        "DoRA (Liu et al. 2024): A, B and the magnitudes m are trained; r = \(rank), α = \(alpha).")
      : Equation(
        "W = " + direction + shapes,
        "LoRA (Hu et al. 2021): only A and B are trained, the base W₀ stays; r = \(rank), α = \(alpha).")
  }
}
