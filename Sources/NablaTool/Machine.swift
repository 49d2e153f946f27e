import Nabla

/// The output of `nabla inspect --machine`: the CPU's instruction set, the cap, the one in use, and the threads.
enum Machine {
  static var text: String {
    // Unknown values have already ended the program.
    let cap = (try? InstructionSet.requested()).map { cap in
      "NABLA_ISA=\(cap.rawValue)" + (cap > .ofCPU ? ", more than the CPU has" : "")
    }
    let kernels = min(InstructionSet.inUse, .avx512VNNI)
    let rows = [
      ("cpu", named(.ofCPU)), ("cap", cap ?? "none (NABLA_ISA is not set)"), ("kernels", named(kernels)),
      ("oneDNN", named(.ofOneDNN) + ", version \(oneDNNVersion)"),
      ("precision", "\(Precision.automatic.computeType) unless --precision says otherwise"),
      ("threads", "\(Threads.count)"),
    ]
    return rows.map { $0.0 + String(repeating: " ", count: 16 - $0.0.count) + $0.1 + "\n" }.joined()
  }

  static var object: JSONValue {
    [
      "cpu": .string(InstructionSet.ofCPU.rawValue),
      "cap": (try? InstructionSet.requested()).map { .string($0.rawValue) } ?? .null,
      "kernels": .string(min(InstructionSet.inUse, .avx512VNNI).rawValue),
      "onednn": .string(InstructionSet.ofOneDNN.rawValue), "onednn_version": .string(oneDNNVersion),
      "levels": .array(InstructionSet.allCases.filter { $0 <= .ofCPU }.map { .string($0.rawValue) }),
      "precision": .string("\(Precision.automatic.computeType)"), "threads": .integer(Threads.count),
    ]
  }

  /// "avx512-vnni (AVX-512 with VNNI)"
  private static func named(_ set: InstructionSet) -> String {
    set == .baseline ? set.rawValue : "\(set.rawValue) (\(set))"
  }
}
