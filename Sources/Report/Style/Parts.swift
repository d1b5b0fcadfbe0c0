import Base
import Measure

extension ForgettingSummary {
  /// The mean change on held-out tasks in percentage points. Pages show this and not its opposite, the forgetting, so
  /// that in all numbers and plots worse is negative and to the left.
  var heldOutChange: Estimate? { forgetting.map { -$0 } }
}

/// Parts of the pages.
package enum Part {
  /// - Parameters:
  ///   - title: plain text.
  ///   - mark: HTML beside the title.
  package static func section(_ title: String, mark: String = "", _ body: String) -> String {
    """
    <section>
    <div class="head"><h2>\(HTML.escaped(title))</h2>\(mark)</div>
    \(body)</section>

    """
  }

  static func paragraph(_ text: String) -> String { "<p class=\"note\">\(HTML.escaped(text))</p>\n" }

  /// Names and values; the values are HTML.
  static func facts(_ pairs: [(String, String?)]) -> String {
    let rows = pairs.compactMap { key, value in value.map { "<dt>\(HTML.escaped(key))</dt><dd>\($0)</dd>\n" } }
    return rows.isEmpty ? "" : "<dl class=\"sides\">\n\(rows.joined())</dl>\n"
  }

  static func code(_ text: String) -> String { "<code>\(HTML.escaped(text))</code>" }

  /// A number with its label and its mark.
  static func card(_ value: String, _ label: String, _ status: MeasurementStatus? = nil) -> String {
    "<div class=\"card\"><b>\(value)</b><span>\(HTML.escaped(label))</span>\(status.map(Pill.html) ?? "")</div>\n"
  }

  static func cards(_ cards: [String]) -> String { "<div class=\"cards of\(cards.count)\">\n\(cards.joined())</div>\n" }

  /// The cards of a summary.
  static func cards(_ summary: ForgettingSummary) -> [String] {
    func estimate(_ estimate: Estimate?, _ status: MeasurementStatus, _ items: Int, _ label: String) -> String {
      guard let estimate, status != .unmeasured else {
        return card("<span class=\"none\">–</span>", label, .unmeasured)
      }
      return card(
        "\(Format.signed(estimate.value, 1)) <small>± \(Format.fixed(estimate.halfWidth, 1)) pp</small>",
        "\(label), n \(Format.grouped(items))", status)
    }
    let drift = summary.drift.map {
      card(
        "\(Format.significant($0)) <small>nats</small>", "drift: KL per token from the base, on neutral text",
        summary.known.drift)
    }
    return [
      estimate(summary.learning, summary.known.learning, summary.learningItems, "on target tasks: learning"),
      estimate(
        summary.heldOutChange, summary.known.forgetting, summary.forgettingItems,
        "on held-out tasks: negative is forgetting"),
    ] + (drift.map { [$0] } ?? [])
  }

  /// - Parameter metrics: the keys of the metrics of the heat maps; the first is shown first.
  static func page(kind: String, title: String, metrics: [String] = ChangeMaps.keys, body: String) -> String {
    HTML.page(
      title: "\(title) · vpatch report", style: HTMLStyle.sheet(metrics: metrics) + ReportStyle.sheet,
      metric: metrics[0],
      body: """
        <div class="eyebrow">vpatch report · \(kind)</div>
        <h1>\(HTML.escaped(title))</h1>
        \(body)\(footer)
        """)
  }

  private static let footer = """
    <footer><b>Measured</b>: on exactly these weights, identified by SHA-256. <b>Reported</b>: from a results file, \
    and no model was hashed. <b>Predicted</b>: computed from the members of a stack. <b>Unmeasured</b>: no record. \
    Intervals are 95 % confidence intervals; pp are percentage points relative to the base.</footer>

    """
}
