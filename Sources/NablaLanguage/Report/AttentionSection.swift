import NablaFormats
import NablaReport
import FoundationEssentials

/// The attention weights of every layer and head on one text, as maps with their entropies.
func attentionSection(_ analysis: Analysis?) throws -> ReportSection? {
  guard let analysis, !analysis.tokens.isEmpty, analysis.attention.contains(where: { !$0.heads.isEmpty }) else {
    return nil
  }
  let count = analysis.tokens.count
  let layers = analysis.attention.enumerated().map { layerIndex, layer in
    let maps = layer.heads.enumerated().map { headIndex, head in
      """
      <button type="button" class="map" data-layer="\(layerIndex)" data-head="\(headIndex)" \
      aria-label="Enlarge layer \(layerIndex), head \(headIndex)">\
      <canvas width="\(count)" height="\(count)"></canvas>\
      <span><b>head \(headIndex)</b><i>\(entropyText(head.entropy, of: analysis.largestEntropy))</i></span></button>
      """
    }
    return """
      <div class="layer"><h3>Layer \(layerIndex)</h3>
      <div class="maps" style="--heads: \(layer.heads.count)">\(maps.joined(separator: "\n"))</div></div>
      """
  }
  let largest = significant(analysis.largestEntropy, digits: 3)
  let mask = analysis.isCausal ? "The blank half is the causal mask: no token attends to a later one. " : ""
  return ReportSection(
    id: "attention", title: "Attention",
    introduction: """
      <p>Each map shows one head on the text below: rows are queries, columns are keys, and a stronger
      color means a larger weight. \(mask)Below each map are the mean entropy of its rows in nats
      and its percentage of the maximum, \(largest) nats: near 0 % a head
      attends to a single token, at 100 % to all tokens equally.
      <span class="scripted">Point at a square for its weight; click a map to enlarge it.</span></p>
      """,
    equations: [.attention, .attentionEntropy],
    html: """
      <noscript><p class="note">The maps need JavaScript.</p></noscript>
      \(tokenStrip(analysis.tokens))
      <div class="card layers">\(layers.joined(separator: "\n"))</div>
      <dialog id="attention-dialog" aria-labelledby="attention-title"><header><h3 id="attention-title"></h3>
      <button type="button" class="close" aria-label="Close">×</button></header>
      <div class="enlarged"><div class="keys">key →</div><div class="queries">query →</div><canvas></canvas></div>
      <p class="readout" aria-live="polite">Point at a square, or at a token: the tokens are shaded by its weights.</p>
      \(tokenStrip(analysis.tokens))</dialog>
      \(try jsonIsland(id: "attention-data", AttentionData(analysis)))
      """,
    script: String(decoding: PackageResources.attention_js, as: UTF8.self))
}

/// The data for the script.
private struct AttentionData: Encodable {
  var tokens: [String]
  var causal: Bool
  /// Weights of each layer and head, [T, T] bytes.
  var layers: [[Data]]

  init(_ analysis: Analysis) {
    tokens = analysis.tokens.map(visibleToken)
    causal = analysis.isCausal
    layers = analysis.attention.map { $0.heads.map(\.weights) }
  }
}

/// "1.23 nats · 45 %".
private func entropyText(_ entropy: Double?, of largest: Double) -> String {
  guard let entropy else { return "not finite" }
  let nats = "\(significant((entropy * 100).rounded() / 100, digits: 3)) nats"
  guard largest > 0 else { return nats }
  return "\(nats) · \(Int((min(1, max(0, entropy / largest)) * 100).rounded()))\u{A0}%"
}

private func tokenStrip(_ tokens: [String]) -> String {
  let spans = tokens.enumerated().map { index, token in
    let text = escapedHTML(visibleToken(token))
    return "<span data-token=\"\(index)\">\(text)</span>" + (token.contains("\n") ? "<br>" : "")
  }
  return "<div class=\"strip\" role=\"group\" aria-label=\"Tokens\">\(spans.joined())</div>"
}
