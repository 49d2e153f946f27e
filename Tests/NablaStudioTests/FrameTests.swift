import FoundationEssentials
import NablaFormats
import NablaStudio
import Testing

struct FrameTests {
  @Test func answersOnlyToItsOwnHostAndOrigin() {
    let own = RequestGuard(port: 8118)
    #expect(own.refusal(host: "127.0.0.1:8118", origin: nil, site: nil) == nil)
    #expect(own.refusal(host: "localhost:8118", origin: "http://localhost:8118", site: "same-origin") == nil)
    #expect(own.refusal(host: "[::1]:8118", origin: nil, site: "none") == nil)
    for host in [
      nil, "evil.example", "evil.example:8118", "127.0.0.1", "127.0.0.1:8119", "127.0.0.1:8118.evil.example",
    ] {
      #expect(own.refusal(host: host, origin: nil, site: nil) != nil)
    }
    for origin in ["http://evil.example", "https://127.0.0.1:8118", "null", "http://127.0.0.1:8119", ""] {
      #expect(own.refusal(host: "127.0.0.1:8118", origin: origin, site: nil) != nil)
    }
    for site in ["cross-site", "same-site"] {
      #expect(own.refusal(host: "127.0.0.1:8118", origin: nil, site: site) != nil)
    }
  }

  /// Browsers leave out the default port.
  @Test func answersToBareHostsAtPort80() {
    let own = RequestGuard(port: 80)
    #expect(own.refusal(host: "127.0.0.1", origin: nil, site: nil) == nil)
    #expect(own.refusal(host: "localhost", origin: "http://localhost", site: "same-origin") == nil)
    #expect(own.refusal(host: "127.0.0.1:80", origin: nil, site: nil) == nil)
    for host in ["evil.example", "127.0.0.1:8118"] { #expect(own.refusal(host: host, origin: nil, site: nil) != nil) }
    #expect(own.refusal(host: "localhost", origin: "http://evil.example", site: nil) != nil)
  }

  @Test func runsMustBeRunFolders() throws {
    try withTemporaryFolder { folder in
      let error = #expect(throws: StudioError.self) { try Studio.Options(runs: ["\(folder)/typo"]).validate() }
      #expect(error?.description == "there is no folder \(folder)/typo")
      #expect(throws: StudioError.self) { try Studio.Options(runs: [folder]).validate() }
      let run = #"{"formatVersion": 1, "command": "sft", "configuration": {}}"#
      try AtomicFile.write(run, to: "\(folder)/config.json")
      try Studio.Options(runs: [folder]).validate()
      // The steps read a model folder of diffusion, too.
      try AtomicFile.write(#"{"format": "nabla-diffusion"}"#, to: "\(folder)/config.json")
      try Studio.Options(runs: [folder]).validate()
    }
  }

  @Test func everyStepHasItsPage() {
    #expect(StudioStep.all.count == 8)
    #expect(Set(StudioStep.all.map(\.name)).count == 8)
    for step in StudioStep.all {
      for file in ["narrative.html", "step.js"] {
        #expect(pathExists("Sources/NablaStudio/Page/steps/\(step.name)/\(file)"))
      }
      for computation in step.computations { #expect(pathExists(computation.file), "\(computation.file)") }
    }
  }

  @Test func namesWhatNoStepComputes() {
    let error = #expect(throws: StudioError.self) { try untrained.answer("attention", "nothing") }
    #expect(error?.description == "no step computes attention/nothing")
  }

  struct Graph: Decodable {
    struct Concept: Decodable { let id, name, field, what: String, uses, steps, files, documents: [String] }
    let fields: [String]
    let concepts: [Concept]
  }

  @Test func theMapLeadsSomewhere() throws {
    let graph: Graph = try untrained.decoded("map", "concepts").value
    let ids = Set(graph.concepts.map(\.id))
    #expect(ids.count == graph.concepts.count && ids.count > 40)
    for concept in graph.concepts {
      #expect(graph.fields.contains(concept.field))
      #expect(concept.uses.allSatisfy(ids.contains), "\(concept.id) uses \(concept.uses)")
      #expect(
        !concept.steps.isEmpty && concept.steps.allSatisfy { name in StudioStep.all.contains { $0.name == name } })
      for path in concept.files + concept.documents { #expect(pathExists(path), "\(concept.id): \(path)") }
    }
    // Every link into the map from a narrative names a concept.
    for step in StudioStep.all {
      let text = try String(
        decoding: MappedFile(path: "Sources/NablaStudio/Page/steps/\(step.name)/narrative.html").withBytes {
          Array($0)
        },
        as: UTF8.self)
      for part in text.split(separator: "#map?concept=").dropFirst() {
        let id = String(part.prefix { $0 != "\"" })
        #expect(ids.contains(id), "\(step.name) links to \(id)")
      }
    }
  }

  struct Miniature: Decodable { let points: [[Double]], x, y: Double }

  /// The chapter's numbers.
  @Test(arguments: [
    ("ppo", 1.3, 1.2), ("ppo", 0.5, 0.5), ("lora", 3, 768), ("gqa", 3, 10), ("attention", 0, 0.1), ("dpo", 0, 0.693147),
    ("rope", 0, 1), ("grpo", 0.25, 0),
  ])
  func miniaturesGiveWhatIsKnown(_ equation: String, _ x: Double, _ y: Double) throws {
    let answer: Miniature = try untrained.decoded("summary", "miniature", ["equation": equation, "x": "\(x)"]).value
    if equation == "grpo" {
      // The mean of x, 0, 0 and 1 is x at x = 1/3.
      let zero: Miniature = try untrained.decoded("summary", "miniature", ["equation": "grpo", "x": "\(1.0 / 3)"]).value
      #expect(abs(zero.y) < 1e-6 && answer.y < 0)
    } else {
      #expect(abs(answer.y - y) < 1e-5, "\(equation) at \(x): \(answer.y)")
    }
  }
}
