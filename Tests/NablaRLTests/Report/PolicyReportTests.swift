import NablaFormats
import NablaRL
import Testing

/// The parts of the report that reinforcement learning adds.
@Suite struct PolicyReportTests {
  @Test func ratiosFallIntoTheirBins() {
    let ratios = PolicyAnalysis.Ratios(
      clipRange: 0.2, ratios: [1, 1, 0.41, 5, 0.001, 1.59, .nan], advantages: [1, -1, 1, 1, -1, 0, 1])
    #expect(ratios.low < 0.4001 && ratios.high > 1.5999 && ratios.positive.count == 48)
    // 1 lies at the middle edge; 5 beyond the last bin; 0 is no sign.
    #expect(ratios.positive[23] + ratios.positive[24] == 1 && ratios.positive[0] == 1 && ratios.positive[47] == 1)
    #expect(ratios.negative.reduce(0, +) == 2 && ratios.negative[0] == 1)
  }

  @Test(arguments: [
    (
      #"{"map": {"x": {"name": "a", "low": 0, "high": 1, "count": 2}, "y": {"name": "b", "low": 0, "high": 1, "count": 2}, "remark": "", "values": [1, 2, 3], "actions": ["l"], "policy": [[1, 2, 3, 4]]}}"#,
      "map.values"
    ),
    (
      #"{"map": {"x": {"name": "a", "low": 0, "high": 1, "count": 9000000000000000000}, "y": {"name": "b", "low": 0, "high": 1, "count": 9000000000000000000}, "remark": "", "values": [], "actions": ["l"], "policy": [[]]}}"#,
      "map.values"
    ),
    (
      #"{"replay": {"environment": "CartPole-v1", "observations": [[1]], "actions": [[1]], "rewards": [1], "terminated": true, "secondsPerStep": 1}}"#,
      "replay"
    ),
    (#"{"ratios": {"clipRange": 0.2, "low": 2, "high": 1, "positive": [1], "negative": [1]}}"#, "ratios"),
    (#"{"ratios": {"clipRange": 0.2}}"#, "ratios.low"),
  ])
  func misfitsAreNamed(json: String, place: String) throws {
    try withTemporaryFolder { folder in
      try AtomicFile.write(json, to: folder + "/policy.json")
      #expect { try PolicyAnalysis(contentsOfFile: folder + "/policy.json") } throws: {
        "\($0)".contains("policy.json") && "\($0)".contains(place)
      }
    }
  }
}
