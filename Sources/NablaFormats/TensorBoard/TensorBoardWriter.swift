import Glibc

/// Writes a TensorBoard event file: scalars, text and images over the steps of a run.
///
/// The file is a sequence of TFRecords (length, masked CRC of the length, data, masked CRC of the data), each an
/// `Event` message (tensorflow/core/util/event.proto). Each event is flushed when it is written, so a TensorBoard
/// that watches the folder sees it immediately.
public final class TensorBoardWriter {
  public let path: String
  private let writer: FileWriter
  private let now: () -> Double

  /// Creates `events.out.tfevents.TIME.HOST.PROCESS.nabla` in `folder`.
  ///
  /// - Parameters:
  ///   - folder: Must exist.
  ///   - firstStep: When a run resumes, its first new step: TensorBoard then discards events of earlier files in the
  ///     folder from this step on.
  ///   - now: Seconds since 1970.
  public init(folder: String, resumingAt firstStep: Int? = nil, now: @escaping () -> Double = secondsSince1970) throws {
    let time = now()
    let base = "\(folder)/events.out.tfevents.\(Int(time)).\(hostName()).\(getpid())"
    // Two writers within one second must not share a file.
    var number = 0
    while pathExists("\(base).\(number).nabla") { number += 1 }
    path = "\(base).\(number).nabla"
    writer = try FileWriter(path: path, mode: .createNew)
    self.now = now
    try write(step: nil) { $0.append(3, string: "brain.Event:2") }
    if let firstStep {
      let start = 1  // SessionLog.START
      try write(step: firstStep) { $0.append(7) { $0.append(1, integer: start) } }
    }
  }

  public func write(scalar value: Double, tag: String, step: Int) throws(FileError) {
    try writeSummary(tag: tag, step: step) { $0.append(2, float: Float(value)) }
  }

  /// Markdown under the Text tab.
  public func write(text: String, tag: String, step: Int) throws(FileError) {
    try writeSummary(tag: tag, step: step) { summary in
      summary.append(8) { tensor in
        tensor.append(1, integer: 7)  // DT_STRING
        tensor.append(2) { shape in shape.append(2) { $0.append(1, integer: 1) } }
        tensor.append(8, string: text)
      }
      summary.append(9) { metadata in metadata.append(1) { $0.append(1, string: "text") } }
    }
  }

  /// - Parameters:
  ///   - png: A whole PNG file of `width` × `height` pixels with `channels` channels.
  ///   - width: Pixels.
  ///   - height: Pixels.
  ///   - channels: 1 for gray, 3 for RGB, 4 for RGBA.
  ///   - tag: The name of the image in TensorBoard.
  ///   - step: The training step that it shows.
  public func write(
    png: [UInt8], width: Int, height: Int, channels: Int, tag: String, step: Int
  ) throws(FileError) {
    try writeSummary(tag: tag, step: step) { summary in
      summary.append(4) { image in
        image.append(1, integer: height)
        image.append(2, integer: width)
        image.append(3, integer: channels)
        image.append(4, bytes: png)
      }
    }
  }

  private func writeSummary(
    tag: String, step: Int, _ build: (inout ProtobufMessage) -> Void
  ) throws(FileError) {
    try write(step: step) { event in
      event.append(5) { summary in
        summary.append(1) { value in
          value.append(1, string: tag)
          build(&value)
        }
      }
    }
  }

  private func write(step: Int?, _ build: (inout ProtobufMessage) -> Void) throws(FileError) {
    var event = ProtobufMessage()
    event.append(1, double: now())
    if let step { event.append(2, integer: step) }
    build(&event)
    try writer.write(tfRecord(event.bytes))
    try writer.flush()
  }
}

/// One TFRecord around `data`.
package func tfRecord(_ data: [UInt8]) -> [UInt8] {
  var record: [UInt8] = []
  record.append(littleEndian: UInt64(data.count))
  record.append(littleEndian: CRC32C.masked(record))
  record += data
  record.append(littleEndian: CRC32C.masked(data))
  return record
}

/// The wall clock.
public func secondsSince1970() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_REALTIME, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

/// This machine's name as part of a file name.
private func hostName() -> String {
  var name = [CChar](repeating: 0, count: 256)
  guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
  let text = String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  return text.isEmpty || text.contains("/") ? "localhost" : text
}
