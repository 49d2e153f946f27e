import NablaFormats

/// Problems with an answer that can be checked, as in GSM8K (Cobbe et al. 2021, arXiv:2110.14168): the reasoning, then
/// `#### ` and a number.
public enum MathProblem {
  /// The text after the last `####`, without whitespace, commas and dollar signs; nil if there is none.
  ///
  /// ```swift
  /// MathProblem.finalAnswer("9 * 2 = 18 a day.\n#### $1,018")  // "1018"
  /// ```
  public static func finalAnswer(_ answer: String) -> String? {
    let bytes = Array(answer.utf8)
    let mark = Array("####".utf8)
    guard let last = UTF8Text.split(bytes, by: mark).dropFirst().last else { return nil }
    let kept = last.filter { $0 > 0x20 && $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: "$") }
    return kept.isEmpty ? nil : String(decoding: kept, as: UTF8.self)
  }
}
