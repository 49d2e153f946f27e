import CZlib

/// Decompresses gzip data piece by piece (RFC 1952, by zlib): members one after the other are one stream, as for `gzip`.
///
/// Only a window of 32 KiB and the caller's buffer are in memory, whatever the data claims about its size.
struct Inflater: ~Copyable {
  // On the heap: zlib keeps a pointer back to the stream and refuses one that has moved.
  private let stream: UnsafeMutablePointer<z_stream>
  /// Bytes of the input that were used up.
  private(set) var offset = 0
  private var isBetweenMembers = true
  private var hasMember = false

  init() {
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    // With this version and layout only memory can be missing.
    precondition(nabla_inflate_init_gzip(stream) == Z_OK, "Inflater: out of memory")
  }

  deinit {
    inflateEnd(stream)
    stream.deinitialize(count: 1)
    stream.deallocate()
  }

  /// Fills `output` from the start and returns how many bytes were written; 0 at the end of the data.
  ///
  /// - Parameter input: The whole compressed data, the same at each call.
  mutating func read(
    _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
  ) throws(GzipError) -> Int {
    precondition(!output.isEmpty, "Inflater.read: an empty buffer")
    var written = 0
    while written < output.count {
      if isBetweenMembers {
        guard try beginMember(input) else { break }
      }
      // zlib counts in 32 bits; it does not write to its input, though its C declaration says it may.
      let given = min(input.count - offset, Int(UInt32.max))
      let room = min(output.count - written, Int(UInt32.max))
      stream.pointee.next_in = UnsafeMutablePointer(
        mutating: (input.baseAddress! + offset).assumingMemoryBound(to: UInt8.self))
      stream.pointee.avail_in = UInt32(given)
      stream.pointee.next_out = (output.baseAddress! + written).assumingMemoryBound(to: UInt8.self)
      stream.pointee.avail_out = UInt32(room)
      let status = inflate(stream, Z_NO_FLUSH)
      offset += given - Int(stream.pointee.avail_in)
      written += room - Int(stream.pointee.avail_out)
      switch status {
      case Z_STREAM_END: isBetweenMembers = true
      case Z_OK where offset < input.count || written == output.count: break
      case Z_OK, Z_BUF_ERROR: throw GzipError(offset: offset, problem: .truncated)
      case Z_MEM_ERROR: throw GzipError(offset: offset, problem: .damaged("out of memory"))
      default:
        let reason = stream.pointee.msg.map { String(cString: $0) } ?? "zlib's error \(status)"
        throw GzipError(offset: offset, problem: .damaged(reason))
      }
    }
    return written
  }

  /// Whether another member begins here. Zero bytes at the end are padding, as for `gzip`.
  private mutating func beginMember(_ input: UnsafeRawBufferPointer) throws(GzipError) -> Bool {
    let rest = input[min(offset, input.count)...]
    if hasMember, rest.allSatisfy({ $0 == 0 }) {
      offset = input.count
      return false
    }
    guard Gzip.isGzip(rest) else {
      let isCut = rest.isEmpty || rest.count == 1 && rest.first == Gzip.magic.0
      throw GzipError(offset: offset, problem: isCut ? .truncated : .notGzip)
    }
    inflateReset(stream)
    hasMember = true
    isBetweenMembers = false
    return true
  }
}
