import FoundationEssentials
import NablaRL

/// The state as it comes back from a checkpoint.
func decodedState(_ state: VectorEnvironment.State) throws -> VectorEnvironment.State {
  try JSONDecoder().decode(VectorEnvironment.State.self, from: JSONEncoder().encode(state))
}
