/// Training hardware: the number of accelerators, and the performance of each.
public struct Hardware: Sendable, Hashable {
  public var name: String
  public var count: Int
  /// The peak FLOP/s of one, for dense bfloat16 matrix multiplication.
  public var flopPerSecond: Double
  /// Memory bandwidth of one, in bytes per second; nil if unknown.
  public var bandwidth: Double?
  /// Memory of one, in bytes.
  public var memory: Double?
  /// The source of the figures.
  public var source: String

  public init(
    name: String, count: Int = 1, flopPerSecond: Double, bandwidth: Double? = nil, memory: Double? = nil,
    source: String
  ) {
    self.name = name
    self.count = count
    self.flopPerSecond = flopPerSecond
    self.bandwidth = bandwidth
    self.memory = memory
    self.source = source
  }

  /// FLOPs of all accelerators in the given time at a fraction of their peak.
  public func compute(seconds: Double, utilization: Double) -> Double {
    Double(count) * flopPerSecond * utilization * seconds
  }

  /// Seconds for this many FLOPs.
  public func seconds(compute: Double, utilization: Double) -> Double {
    compute / (Double(count) * flopPerSecond * utilization)
  }
}

extension Hardware {
  /// Figures from the vendors' data sheets, without sparsity. FLOP/s for bfloat16 with float32 accumulation.
  public static let known: [Hardware] = [
    entry("H100", 989, 3.35, 80, "NVIDIA H100 data sheet, SXM5"),
    entry("H100-PCIe", 756, 2.0, 80, "NVIDIA H100 data sheet, PCIe"),
    entry("H200", 989, 4.8, 141, "NVIDIA H200 data sheet, SXM"),
    entry("B200", 2250, 8.0, 180, "NVIDIA HGX B200 data sheet"),
    entry("A100", 312, 2.0, 80, "NVIDIA A100 data sheet, 80 GB SXM"),
    entry("A100-40GB", 312, 1.6, 40, "NVIDIA A100 data sheet, 40 GB"),
    entry("L40S", 362, 0.864, 48, "NVIDIA L40S data sheet"),
    entry("L4", 121, 0.3, 24, "NVIDIA L4 data sheet"),
    entry("MI300X", 1307, 5.3, 192, "AMD Instinct MI300X data sheet"),
    entry("RTX4090", 165.2, 1.01, 24, "NVIDIA Ada architecture white paper"),
    entry("RTX3090", 71, 0.936, 24, "NVIDIA GA102 architecture white paper"),
  ]

  private static func entry(
    _ name: String, _ teraflops: Double, _ terabytes: Double, _ gigabytes: Double, _ source: String
  ) -> Hardware {
    Hardware(
      name: name, flopPerSecond: teraflops * 1e12, bandwidth: terabytes * 1e12, memory: gigabytes * 1e9,
      source: source)
  }

  /// Hardware by name with an optional count before it: "H100", "8xH100". Case does not matter.
  ///
  /// - Throws: ``PlanError`` that lists the names.
  public init(named text: String) throws(PlanError) {
    let parts = text.split(separator: "x", maxSplits: 1)
    var (count, name) = (1, text)
    if parts.count == 2, let number = Int(parts[0]) {
      guard (1...10_000_000).contains(number) else {
        throw PlanError("the count of accelerators must be between 1 and 10000000, not \(number)")
      }
      (count, name) = (number, String(parts[1]))
    }
    guard var found = Self.known.first(where: { $0.name.lowercased() == name.lowercased() }) else {
      throw PlanError("unknown hardware '\(name)'; there are \(Self.known.map(\.name).joined(separator: ", "))")
    }
    found.count = count
    self = found
  }
}

/// Why a plan is impossible.
public struct PlanError: Error, Equatable, Sendable, CustomStringConvertible {
  public var problem: String
  public init(_ problem: String) { self.problem = problem }
  public var description: String { problem }
}
