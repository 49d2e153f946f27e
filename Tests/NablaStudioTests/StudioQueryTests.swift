import NablaStudio
import Testing

struct StudioQueryTests {
  @Test func readsWhatAnAddressHolds() throws {
    let query = try StudioQuery(parsing: "text=The%20cat%20%F0%9F%90%88&layer=3&t=0.5&causal=0&losses=1,2.5&seed=7")
    #expect(try query.text("text", atMost: 20, default: "") == "The cat 🐈")
    #expect(try query.integer("layer", in: 0...29, default: 0) == 3)
    #expect(try query.number("t", in: 0...1, default: 1) == 0.5)
    #expect(try query.flag("causal", default: true) == false)
    #expect(try query.numbers("losses", in: 0...9, atMost: 3, default: []) == [1, 2.5])
    #expect(try query.seed() == 7)
    #expect(try query.integer("head", in: 0...8, default: 4) == 4)
  }

  @Test(arguments: ["nan", "inf", "-inf", "1e999", "", "2", "-0.1", "0x1p3", "٣"])
  func refusesNumbersOutOfRange(_ text: String) throws {
    let query = StudioQuery(["t": text])
    let error = #expect(throws: StudioError.self) { try query.number("t", in: 0...1, default: 1) }
    #expect(error?.description.contains("t must be a number from 0.0 to 1.0") == true)
  }

  @Test(arguments: ["1.5", "30", "-1", "99999999999999999999", "x"])
  func refusesWholeNumbersOutOfRange(_ text: String) {
    #expect(throws: StudioError.self) { try StudioQuery(["n": text]).integer("n", in: 0...29, default: 0) }
  }

  @Test func refusesMoreThanItsCaps() {
    #expect(throws: StudioError.self) {
      try StudioQuery(["a": "1,2,3"]).numbers("a", in: 0...9, atMost: 2, default: [])
    }
    #expect(throws: StudioError.self) { try StudioQuery(["a": "1,,3"]).numbers("a", in: 0...9, atMost: 5, default: []) }
    #expect(throws: StudioError.self) { try StudioQuery(["a": "abcd"]).text("a", atMost: 3, default: "") }
    #expect(throws: StudioError.self) { try StudioQuery(["a": "maybe"]).flag("a", default: true) }
  }

  @Test(arguments: ["a=%", "a=%4", "a=%zz", "a=%ff", "%c3%28=1"])
  func refusesBrokenEscapes(_ text: String) {
    #expect(throws: StudioError.self) { try StudioQuery(parsing: text) }
  }
}
