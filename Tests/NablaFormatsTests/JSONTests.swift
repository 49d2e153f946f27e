import Glibc
import NablaFormats
import Testing

@Suite struct JSONTests {
  @Test func readsEveryKindOfValue() throws {
    let text = #"""
      { "null": null, "yes": true, "no": false, "int": -12, "big": 9223372036854775807, "beyond": 9223372036854775808,
        "float": -1.5e-3, "text": "a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00∇", "list": [1, [], {}], "": 0 }
      """#
    let value = try JSONValue(parsing: text)
    #expect(
      value == [
        "null": nil, "yes": true, "no": false, "int": -12, "big": .integer(.max), "beyond": .number(0x1p63),
        "float": -0.0015, "text": "a\"\\/\u{8}\u{C}\n\r\té😀∇", "list": [1, [], [:]], "": 0,
      ])
    #expect(value.object?.keys.first == "null")
    #expect(value["list"]?.array?.count == 3)
    #expect(value["absent"] == nil)
    #expect(try JSONValue(parsing: value.serialized()) == value)
    #expect(try JSONValue(parsing: value.serialized(.indented)) == value)
  }

  @Test(arguments: [
    ("", 0), ("  ", 2), ("nul", 0), ("truth", 0), ("1 2", 2), ("[1,]", 3), ("[1 2]", 3), ("{\"a\":1,}", 7),
    ("{a:1}", 1), ("{\"a\" 1}", 5), ("{\"a\":1", 6), ("[", 1), ("\"abc", 0), ("\"a\u{1}\"", 2), ("\"\\x\"", 1),
    ("\"\\u12g4\"", 5), ("\"\\ud800\"", 1), ("\"\\ud800\\u0041\"", 1), ("\"\\udc00\"", 1), ("01", 0), ("-", 1),
    ("1.", 2), (".5", 0), ("+1", 0), ("1e", 2), ("1e400", 0), ("NaN", 0), ("{\"a\":1,\"b\":2,\"a\":3}", 13),
    ("// no\n1", 0), ("'a'", 0), ("[1]]", 3), ("\u{FEFF}1", 0), ("-\u{7F}", 1), ("\"\\", 1), ("{\"a\":", 5),
  ])
  func rejectsWithThePosition(_ text: String, offset: Int) {
    let error = #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
    #expect(error?.offset == offset, "\(text): \(String(describing: error))")
  }

  /// Strings are read eight bytes at a time: whatever stands at each place of such a group must be seen.
  @Test func readsStringsOfEveryLength() throws {
    for length in 0...20 {
      for place in 0...length {
        for (spelling, character) in [("\\n", "\n"), ("é", "é"), ("∇", "∇"), ("😀", "😀"), ("\\u00e9", "é")] {
          let (before, after) = (String(repeating: "a", count: place), String(repeating: "z", count: length - place))
          let value = try JSONValue(parsing: "[\"\(before)\(spelling)\(after)\"]")
          #expect(value == [.string(before + character + after)])
        }
        let broken = Array("\"".utf8) + Array(repeating: 0x61, count: place)
        for (bytes, name) in [
          ([0x1F] as [UInt8], "control"), ([0xC3], "UTF-8"), ([0xE2, 0x88], "UTF-8"), ([], "closed"),
        ] {
          let error = #expect(throws: JSONError.self) { try JSONValue(parsing: broken + bytes) }
          #expect(error?.problem.contains(name) == true, "\(String(describing: error))")
        }
      }
    }
  }

  /// Against the C library, which reads decimals exactly.
  @Test func readsTheNearestDouble() throws {
    var generator = SystemRandomNumberGenerator()
    var texts = ["0.0", "-0.0", "0.1", "1.0", "-13.25", "9007199254740993.0", "0.000000000000000001", "4.35", "1.005"]
    texts += ["9007199254740992.5", "9007199254740991.5", "4503599627370496.5", "4503599627370497.5"]
    for _ in 0..<20_000 {
      let number = UInt64.random(in: 0..<1_000_000_000_000_000_000, using: &generator)
      let digits = String(number >> UInt64.random(in: 0..<60, using: &generator))
      let places = Int.random(in: 1...18, using: &generator)
      let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
      texts.append((Bool.random() ? "-" : "") + padded.dropLast(places) + "." + padded.suffix(places))
      texts.append("\(Float.random(in: -20...20, using: &generator))")
    }
    for text in texts {
      let value = try #require(try JSONValue(parsing: text).double)
      #expect(value.bitPattern == strtod(text, nil).bitPattern, "\(text)")
    }
  }

  @Test(arguments: [("not JSON", "\"not JSON\""), ("[maybe, 1]", "\"maybe, 1]\""), ("{\"a\": <html>}", "\"<html>}\"")])
  func saysWhatItFound(_ text: String, _ found: String) {
    let error = #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
    #expect(error?.problem.hasSuffix("found \(found)") == true, "\(String(describing: error))")
  }

  @Test func rejectsInvalidUTF8() {
    for bytes: [UInt8] in [
      [0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0xE2, 0x88],
    ] {
      #expect(throws: JSONError.self) { try JSONValue(parsing: bytes) }
    }
  }

  @Test func boundsTheDepth() throws {
    let limit = JSONValue.maximumDepth
    let nested = { (depth: Int) in String(repeating: "[", count: depth) + String(repeating: "]", count: depth) }
    _ = try JSONValue(parsing: nested(limit))
    #expect(throws: JSONError.self) { try JSONValue(parsing: nested(limit + 1)) }
    #expect(throws: JSONError.self) { try JSONValue(parsing: String(repeating: "[{\"a\":", count: 100_000)) }
    // Closing must leave the level again: many shallow siblings are no depth.
    _ = try JSONValue(parsing: "[" + Array(repeating: "[[]],{}", count: 1000).joined(separator: ",") + "]")
  }

  /// "é" in one scalar and in two are one `String` to Swift, but two keys in a file.
  @Test func boundsTheNumberOfValues() throws {
    let text = Array(("[" + String(repeating: "0,", count: 99) + "0]").utf8)
    func read(_ maximum: Int) throws -> JSONValue {
      try text.withUnsafeBufferPointer { bytes in
        var reader = JSONReader(bytes, maximumValues: maximum)
        return try reader.readText { (reader) throws(JSONError) in try reader.readValue() }
      }
    }
    #expect(try read(101).array?.count == 100)
    let error = #expect(throws: JSONError.self) { try read(100) }
    #expect(error?.problem == "there are too many values")
  }

  @Test func keysCompareByBytes() throws {
    let value = try JSONValue(parsing: "{\"\u{E9}\": 1, \"e\u{301}\": 2}")
    #expect(value["\u{E9}"] == 1 && value["e\u{301}"] == 2)
    #expect(JSONValue.string("\u{E9}") != .string("e\u{301}"))
  }

  @Test func writesStably() {
    let value: JSONValue = ["b": [1, 2.5, 1e-7], "a": [:], "c": ["x": "\u{1}\"\n"], "d": .number(.nan)]
    #expect(value.serialized() == #"{"b":[1,2.5,1e-07],"a":{},"c":{"x":"\u0001\"\n"},"d":null}"#)
    #expect(
      value.serialized(.indented) == """
        {
          "b": [
            1,
            2.5,
            1e-07
          ],
          "a": {},
          "c": {
            "x": "\\u0001\\"\\n"
          },
          "d": null
        }
        """)
  }

  @Test func objectsKeepOrderThroughChanges() {
    var object = JSONObject([("a", 1), ("b", 2), ("c", 3), ("a", 4)])
    #expect(object.keys == ["a", "b", "c"] && object["a"] == 4)
    object["a"] = nil
    object["d"] = 5
    #expect(object.keys == ["b", "c", "d"] && object["c"] == 3 && object["a"] == nil && object["d"] == 5)
  }

  /// Damaged texts are either rejected or round trip; nothing traps.
  @Test func survivesDamage() throws {
    let seeds = [
      #"{"model":{"vocab":{"a":0,"b\u0041":1},"merges":[["a","b"]],"x":-1.25e+3},"ok":[true,false,null,"\ud83d\ude00∇"]}"#,
      #"[[[[1,2,3],{"a":{"b":{"c":"d"}}}],0.5],"\\\"/\n\t"]"#,
    ].map { Array($0.utf8) }
    var random = SplitMix(state: 7)
    var accepted = 0
    for _ in 0..<20_000 {
      let bytes = mutate(
        seeds.randomElement(using: &random)!, using: &random, alphabet: Array("{}[]\",:\\u0e-.d8".utf8))
      guard let value = try? JSONValue(parsing: bytes) else { continue }
      accepted += 1
      let again = try JSONValue(parsing: value.serialized())
      #expect(again == value)
    }
    #expect(accepted > 200)
  }
}
