/// The parameter shapes of a model, without creating it: files are checked against them before anything is allocated.
extension TransformerConfiguration {
  /// - Throws: for invalid sizes, an error that names the file they come from.
  func validate(file: String) throws(ModelFolderError) {
    do { try validate() } catch { throw ModelFolderError(file: file, problem: error.problem) }
  }

  /// The shape of a parameter by the name that `TransformerLM` gives it.
  func shape(of parameter: String) -> [Int] {
    let parts = parameter.split(separator: ".")
    let (module, part) = (parts[parts.count - 2], parts[parts.count - 1])
    let matrix: [Int]
    switch module {
    case "embed_tokens", "lm_head": matrix = [vocabularySize, width]
    case "embed_positions": matrix = [context, width]
    case "q_proj": matrix = [headCount * headSize, width]
    case "k_proj", "v_proj": matrix = [keyValueHeadCount * headSize, width]
    case "o_proj": matrix = [width, headCount * headSize]
    case "gate_proj", "up_proj": matrix = [feedForwardWidth, width]
    case "down_proj": matrix = [width, feedForwardWidth]
    case "q_norm", "k_norm": return [headSize]
    default: return [width]  // norms
    }
    return part == "bias" ? [matrix[0]] : matrix
  }
}
