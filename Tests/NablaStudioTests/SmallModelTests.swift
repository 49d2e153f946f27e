import NablaFormats
import NablaStudio
import Testing

struct SmallModelTests {
  /// Until it is trained there is one with random weights, of the same shape; then it takes its place.
  @Test func whereThereIsNoModelASmallOneIsTrainedOnce() throws {
    try withTemporaryFolder { temporary in
      let recipe = SmallModelRecipe(folder: "\(temporary)/small", pages: nil)
      let model = StudioModel(path: nil, fetched: "nowhere", recipe: recipe)
      let before = try model.use(\.facts)
      #expect(recipe.progress == .none && !before.isTrained && before.name == "a small model with random weights")
      recipe.train(steps: 3)
      #expect(recipe.progress == .done)
      let after = try model.use { loaded in
        let tokens = try loaded.tokenizer.encode("The gradient")
        #expect(tokens.count < 12)
        return loaded.facts
      }
      #expect(after.isTrained && after.name == "a small model trained on this repository's documents")
      #expect(
        (after.layers, after.heads, after.keyValueHeads, after.width) == (
          before.layers, before.heads, before.keyValueHeads, before.width
        ))
      // The next visit finds it.
      let next = SmallModelRecipe(folder: "\(temporary)/small", pages: nil)
      #expect(next.isFinished)
      #expect(try StudioModel(path: nil, fetched: "nowhere", recipe: next).use(\.facts.isTrained))
    }
  }

  @Test func aTrainingThatCannotBeKeptIsToldAndLeavesRandomWeights() throws {
    let recipe = SmallModelRecipe(folder: "/proc/nowhere", pages: nil)
    recipe.train(steps: 1)
    guard case .failed(let problem) = recipe.progress else {
      Issue.record("it should have failed, but is \(recipe.progress)")
      return
    }
    #expect(problem.contains("/proc/nowhere"))
    #expect(try !StudioModel(path: nil, fetched: "nowhere", recipe: recipe).use(\.facts.isTrained))
  }

  /// A page says which model its numbers are of.
  @Test func anAnswerNamesTheModelThatTookPart() throws {
    let ofModel = try JSONValue(parsing: untrained.answer("attention", "attend"))["model"]
    #expect(ofModel?.string == "a small model with random weights")
    let ofNone = try JSONValue(parsing: untrained.answer("scaling", "fit"))["model"]
    #expect(ofNone == nil)
  }
}
