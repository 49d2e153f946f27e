import NablaTensor
import Testing

@Suite("Instruction sets")
struct InstructionSetTests {
  /// A test run under a misspelt NABLA_ISA would otherwise test the CPU's level, and pass.
  @Test("NABLA_ISA names a level, or is not set")
  func requested() throws {
    let requested = try InstructionSet.requested()
    #expect(InstructionSet.inUse == min(requested ?? .ofCPU, .ofCPU))
    #expect(InstructionSet.ofOneDNN <= .inUse)
    #expect(hasFastBFloat16 == (InstructionSet.ofOneDNN >= .avx512BF16))
  }

  @Test("levels are in order")
  func order() {
    let sorted = InstructionSet.allCases.shuffled().sorted()
    #expect(sorted.map(\.rawValue) == ["baseline", "avx2", "avx512", "avx512-vnni", "avx512-bf16", "amx"])
  }
}
