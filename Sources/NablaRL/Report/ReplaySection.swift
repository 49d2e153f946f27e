import NablaFormats
import NablaReport

/// One episode of the trained policy, to play.
func replaySection(_ analysis: PolicyAnalysis?) throws -> ReportSection? {
  guard let replay = analysis?.replay else { return nil }
  let steps = replay.actions.count
  let sum = replay.rewards.reduce(0.0) { $0 + Double($1) }
  let end = replay.terminated ? "terminated" : "truncated"
  return ReportSection(
    id: "replay", title: "One episode",
    html: """
      <p>An episode of \(escapedHTML(replay.environment)) as the trained policy plays it, always taking its
      best action: return \(significant(sum, digits: 4)) in \(grouped(Double(steps))) steps, then \(end).</p>
      <noscript><p class="note">The episode needs JavaScript.</p></noscript>
      <div class="card replay scripted"><canvas id="replay-canvas" role="img" aria-label="The episode"></canvas>
      <div class="controls"><button type="button" id="replay-play">Play</button>
      <input type="range" id="replay-slider" min="0" max="\(steps)" value="0" aria-label="Step of the episode">
      <output id="replay-step"></output></div></div>
      \(try jsonIsland(id: "replay-data", replay))
      """,
    script: String(decoding: PackageResources.replay_js, as: UTF8.self))
}
