import CNablaKernels

/// Instruction-set levels; each includes those before it. Our kernels and oneDNN use the CPU's level, or a lower
/// one if the environment variable `NABLA_ISA` names it; it is read once, when the program starts.
///
/// ```
/// NABLA_ISA=avx2 nabla pretrain README.md
/// ```
///
/// What a level means on x86-64: any x86-64 (oneDNN then uses SSE4.1), x86-64-v3, x86-64-v4, AVX512-VNNI,
/// AVX512-BF16, AMX. On other CPUs there is only the baseline, which is the compiler target's instruction set.
public enum InstructionSet: String, CaseIterable, Comparable, Sendable, CustomStringConvertible {
  case baseline, avx2, avx512
  case avx512VNNI = "avx512-vnni"
  case avx512BF16 = "avx512-bf16"
  case amx

  /// The highest level that this CPU and its operating system support.
  public static let ofCPU = InstructionSet(nabla_isa_of_cpu())
  /// The level that kernels use: the CPU's, or that of `NABLA_ISA` if it is lower.
  public static let inUse = InstructionSet(nabla_isa_in_use())
  /// The level that matrix multiplication and convolution in oneDNN use. Where `NABLA_ISA` is not set, oneDNN's own
  /// variable `ONEDNN_MAX_CPU_ISA` may lower it.
  public static let ofOneDNN = InstructionSet(nabla_isa_of_onednn())

  /// The level that `NABLA_ISA` requested, which may be above the CPU's; nil where it is unset or empty.
  ///
  /// - Throws: `InstructionSetError` if its value is none of those names. The CPU's level is then used.
  public static func requested() throws(InstructionSetError) -> InstructionSet? {
    let level = nabla_isa_requested()
    if level == NABLA_ISA_UNKNOWN { throw InstructionSetError() }
    return level == NABLA_ISA_UNSET ? nil : allCases[Int(level)]
  }

  private init(_ isa: nabla_isa) { self = Self.allCases[Int(isa.rawValue)] }

  public static func < (a: Self, b: Self) -> Bool { allCases.firstIndex(of: a)! < allCases.firstIndex(of: b)! }

  /// In words, such as "AVX-512 with VNNI".
  public var description: String {
    switch self {
    case .baseline: "baseline"
    case .avx2: "AVX2"
    case .avx512: "AVX-512"
    case .avx512VNNI: "AVX-512 with VNNI"
    case .avx512BF16: "AVX-512 with bfloat16"
    case .amx: "AVX-512 with AMX"
    }
  }
}

/// The environment variable NABLA_ISA has a value that names no level.
public struct InstructionSetError: Error, CustomStringConvertible {
  public var description: String {
    "the environment variable NABLA_ISA must be one of "
      + InstructionSet.allCases.map(\.rawValue).joined(separator: ", ")
  }
}

/// The version of oneDNN in use, such as "2.6.3".
public var oneDNNVersion: String {
  var numbers: [Int32] = [0, 0, 0]
  nabla_onednn_version(&numbers)
  return numbers.map(String.init).joined(separator: ".")
}

/// Whether the CPU multiplies bfloat16 matrices in hardware (AMX or AVX512-BF16) and ``InstructionSet/ofOneDNN`` allows
/// it.
public var hasFastBFloat16: Bool { fastBFloat16 }
private let fastBFloat16 = nabla_has_bfloat16() != 0  // checked once: every matrix multiplication needs it
