import CLibcrypto

/// The SHA-256 digest (FIPS 180-4), computed by OpenSSL, which uses the CPU's best instructions.
///
/// ```swift
/// SHA256.hexadecimal(of: Array("abc".utf8))  // "ba7816bf…f20015ad"
/// ```
public struct SHA256: ~Copyable {
  private let context: OpaquePointer

  public init() {
    guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
      fatalError("OpenSSL offers no SHA-256")
    }
    self.context = context
  }

  deinit { EVP_MD_CTX_free(context) }

  public func update(_ bytes: UnsafeRawBufferPointer) {
    let status = EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
    precondition(status == 1, "SHA256.update failed")
  }

  /// The 32 bytes of the digest.
  public consuming func finalize() -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    let status = EVP_DigestFinal_ex(context, &digest, nil)
    precondition(status == 1, "SHA256.finalize failed")
    return digest
  }

  public static func digest(of bytes: UnsafeRawBufferPointer) -> [UInt8] {
    let hash = SHA256()
    hash.update(bytes)
    return hash.finalize()
  }

  /// The digest as 64 lower-case hexadecimal digits.
  public static func hexadecimal(of bytes: [UInt8]) -> String {
    bytes.withUnsafeBytes { hexadecimal(digest(of: $0)) }
  }

  /// The digest of a file's bytes as 64 lower-case hexadecimal digits.
  public static func hexadecimal(ofFile path: String) throws(FileError) -> String {
    hexadecimal(try MappedFile(path: path).withBytes { digest(of: $0) })
  }

  private static func hexadecimal(_ digest: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}
