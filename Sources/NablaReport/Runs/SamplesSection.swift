import FoundationEssentials

extension RunContents {
  /// Samples produced during training: a slider over the steps or, without JavaScript, one after another.
  ///
  /// - Parameter caption: What the images or texts show, as plain text.
  package func samplesSection(caption: String = "") -> ReportSection? {
    if samples.isEmpty { return nil }
    let items = samples.map { sample -> String in
      switch sample.contents {
      case .text(let text, let isCut):
        let remark = isCut ? " <small>(its first \(RunContents.sampleLimit.bytes) bytes)</small>" : ""
        return """
          <li data-step="\(sample.step)"><h3>Step \(sample.step)\(remark)</h3>\
          <pre tabindex="0">\n\(escapedHTML(text))</pre></li>
          """
      case .picture(let bytes):
        let data = Data(bytes).base64EncodedString()
        return """
          <li data-step="\(sample.step)"><h3>Step \(sample.step)</h3>\
          <img alt="Samples at step \(sample.step)" src="data:image/png;base64,\(data)"></li>
          """
      }
    }
    return ReportSection(
      id: "samples", title: "Samples",
      introduction: caption.isEmpty ? "" : "<p>\(escapedHTML(caption))</p>",
      html: """
        <div class="card samples">
        <label class="scripted"><span>After step</span>
        <input type="range" id="sample-slider" min="0" max="\(items.count - 1)" value="\(items.count - 1)" \
        aria-label="Sample by training step"><output id="sample-step"></output></label>
        <ol>\(items.joined(separator: "\n"))</ol>
        </div>
        """,
      script: PageAsset.own("samples.js"))
  }
}
