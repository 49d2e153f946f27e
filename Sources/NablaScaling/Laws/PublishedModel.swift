/// A language model whose size and training are public.
public struct PublishedModel: Sendable, Hashable {
  public var name: String
  public var allocation: Allocation
  public var source: String

  private init(_ name: String, parameters: Double, tokens: Double, _ source: String) {
    self.name = name
    self.allocation = Allocation(parameters: parameters, tokens: tokens)
    self.source = source
  }

  /// As stated in their papers.
  public static let all = [
    PublishedModel("GPT-3", parameters: 175e9, tokens: 300e9, "Brown et al. 2020, table 2.1"),
    PublishedModel("Gopher", parameters: 280e9, tokens: 300e9, "Rae et al. 2021"),
    PublishedModel("MT-NLG", parameters: 530e9, tokens: 270e9, "Smith et al. 2022"),
    PublishedModel("Chinchilla", parameters: 70e9, tokens: 1.4e12, "Hoffmann et al. 2022"),
    PublishedModel("PaLM", parameters: 540e9, tokens: 780e9, "Chowdhery et al. 2022"),
    PublishedModel("LLaMA 7B", parameters: 6.7e9, tokens: 1e12, "Touvron et al. 2023a, table 2"),
    PublishedModel("LLaMA 65B", parameters: 65.2e9, tokens: 1.4e12, "Touvron et al. 2023a, table 2"),
    PublishedModel("Llama 2 7B", parameters: 6.7e9, tokens: 2e12, "Touvron et al. 2023b"),
    PublishedModel("Llama 2 70B", parameters: 69e9, tokens: 2e12, "Touvron et al. 2023b"),
    PublishedModel("Llama 3.1 8B", parameters: 8e9, tokens: 15e12, "Grattafiori et al. 2024"),
    PublishedModel("Llama 3.1 405B", parameters: 405e9, tokens: 15.6e12, "Grattafiori et al. 2024"),
  ]
}
