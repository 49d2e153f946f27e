import FoundationEssentials
import NablaRL

/// The path of a file in Tests/Fixtures.
func fixturePath(_ name: String) -> String {
  let here = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
  return "/\(here)/Fixtures/\(name)"
}

/// The state as it comes back from a checkpoint.
func decodedState(_ state: VectorEnvironment.State) throws -> VectorEnvironment.State {
  try JSONDecoder().decode(VectorEnvironment.State.self, from: JSONEncoder().encode(state))
}
