import Glibc

/// The learning rate at each step, counted from 0.
public typealias Schedule = @Sendable (Int) -> Float

/// A constant learning rate.
public func constant(_ rate: Float) -> Schedule { { _ in rate } }

/// Linear from `start` to `end` over `steps` steps, then `end`.
public func linear(from start: Float, to end: Float, steps: Int) -> Schedule {
  { step in start + (end - start) * min(Float(step) / Float(max(steps, 1)), 1) }
}

/// Linear warmup to `peak` over `warmup` steps, then cosine decay to `final`, reached at `total`.
public func cosine(peak: Float, warmup: Int = 0, total: Int, final: Float = 0) -> Schedule {
  { step in
    if step < warmup { return peak * Float(step + 1) / Float(warmup) }
    let progress = min(Float(step - warmup) / Float(max(total - warmup, 1)), 1)
    return final + (peak - final) * 0.5 * (1 + cosf(.pi * progress))
  }
}

/// Warmup, stable, decay: linear warmup to `peak` over `warmup` steps, constant, then linear decay to `final` over
/// the last `decay` of `total` steps (Hu et al. 2024, "MiniCPM").
public func warmupStableDecay(peak: Float, warmup: Int, decay: Int, total: Int, final: Float = 0) -> Schedule {
  { step in
    if step < warmup { return peak * Float(step + 1) / Float(warmup) }
    if step < total - decay { return peak }
    return peak + (final - peak) * min(Float(step - (total - decay)) / Float(max(decay, 1)), 1)
  }
}
