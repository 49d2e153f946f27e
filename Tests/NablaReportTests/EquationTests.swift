import NablaFormats
import NablaReport
import NablaTraining
import Testing

@Suite struct EquationTests {
  private let page = ReportPage(
    title: "t",
    sections: [ReportSection(id: "a", title: "A", equations: [Equation(#"a < b, \qquad \mathbb{E}"#, "less & more")])])

  @Test func withoutKaTeXTheTeXShows() throws {
    let html = try page.html(chartJS: "")
    #expect(
      html.contains(
        #"<div class="tex">a &lt; b,</div><div class="tex">\mathbb{E}</div></div><figcaption>less &amp; more</figcaption>"#
      ))
    #expect(!html.contains("katex.render") && !html.contains("KaTeX"))
  }

  @Test(.enabled(if: pathExists(KaTeX.folder + "/katex.min.css"), "KaTeX is not installed: Scripts/setup"))
  func fontsAreInThePageAsFarAsUsed() throws {
    let some = try KaTeX(for: [#"a \mathbb{E}"#])
    let plain = try KaTeX(for: ["a"])
    let all = try KaTeX()
    func fonts(_ katex: KaTeX) -> Int { katex.style.split(separator: "data:font/woff2;base64,").count - 1 }
    #expect(fonts(plain) == 6 && fonts(some) == 7 && fonts(all) == 20)
    #expect(some.style.contains("font-family:KaTeX_AMS") && !plain.style.contains("font-family:KaTeX_AMS;"))
    // Nothing is left to fetch, and the rules after the fonts are there.
    for katex in [some, plain, all] {
      #expect(!katex.style.contains("url(fonts/") && katex.style.contains(".katex-display"))
      #expect(katex.script.contains("katex") && !katex.script.contains("</script"))
    }
    let html = try page.html(chartJS: "", katex: some)
    #expect(html.contains("katex.render(") && html.contains("KaTeX; MIT license)"))
  }

  @Test func missingKaTeXIsNamed() {
    #expect { try KaTeX(for: [], in: "/nowhere") } throws: {
      "\($0)".contains("libjs-katex") && "\($0)".contains("/nowhere/katex")
    }
  }

  /// A page without equations does not carry KaTeX, and one without charts not Chart.js.
  @Test func takesOnlyWhatItNeeds() throws {
    let html = try ReportPage(title: "t", sections: [ReportSection(id: "a", html: "<p>x</p>")]).html()
    #expect(html.utf8.count < 30_000 && !html.contains("KaTeX") && !html.contains("Chart.js"))
    let own = [PageAsset.style, PageAsset.script]
    for text in own { #expect(html.contains(text) && !text.contains("</")) }
  }
}
