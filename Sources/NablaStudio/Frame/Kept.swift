import Synchronization

/// Results that take seconds to compute, kept so that the next question about them takes milliseconds: the newest few.
final class Kept<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  private let most: Int
  private let values = Mutex<[(key: Key, value: Value)]>([])
  /// Held while one is computed, so that two questions at once do not compute it twice.
  private let turn = Mutex<Void>(())

  init(most: Int) { self.most = most }

  /// The value of this key, computed by `make` if it is not there.
  func value(for key: Key, make: () throws -> Value) rethrows -> Value {
    if let value = found(key) { return value }
    return try turn.withLock { _ in
      if let value = found(key) { return value }
      let value = try make()
      keep(value, for: key)
      return value
    }
  }

  func found(_ key: Key) -> Value? {
    values.withLock { values in values.first { $0.key == key }?.value }
  }

  func keep(_ value: Value, for key: Key) {
    values.withLock { values in
      values.removeAll { $0.key == key }
      values.append((key, value))
      if values.count > most { values.removeFirst() }
    }
  }
}
