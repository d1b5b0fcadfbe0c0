import Measure
import Testing

@testable import Report

@Suite("Charts") struct ChartTests {
  @Test(
    "axes end at round numbers and hold their values",
    arguments: [
      ([0.3, 47.0], 4, true, ["0", "10", "20", "30", "40", "50"]),
      ([-2.0, 0.5], 5, true, ["-2.0", "-1.5", "-1.0", "-0.5", "0", "0.5"]),
      ([2e-5, 1e-6], 2, true, ["0", "1e-5", "2e-5"]), ([], 4, true, ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
      ([0], 2, true, ["0", "0.5", "1.0"]), ([2.1, 2.3], 2, false, ["2.1", "2.2", "2.3"]),
      ([0, 12_000], 3, true, ["0", "5,000", "10,000", "15,000"]), ([7, 7], 2, false, ["0", "5", "10"]),
    ] as [([Double], Int, Bool, [String])])
  func axes(values: [Double], count: Int, fromZero: Bool, labels: [String]) {
    let axis = Axis(covering: values, ticks: count, fromZero: fromZero)
    #expect(axis.ticks.map { axis.label($0) } == labels)
    for value in values { #expect((axis.low - 1e-12...axis.high + 1e-12).contains(value)) }
    #expect(axis.position(axis.low) == 0 && axis.position(axis.high) == 1)
  }

  @Test("signs") func signs() {
    let axis = Axis(covering: [-10, 20], ticks: 3)
    #expect(axis.ticks.map { axis.label($0, sign: true) } == ["-10", "0", "+10", "+20"])
    #expect(axis.percent(5) == "50.00%")
  }

  @Test("a curve goes from end to end, and up is up") func line() {
    var chart = LineChart(title: "t", height: 100, end: 10, y: Axis(covering: [0, 4], ticks: 4))
    chart.series = [.init(points: [(0, 0), (5, 1), (10, 4)], style: "curve", isLabelled: true)]
    chart.band = (
      .init(points: [(0, 0), (10, 2)], style: "band"), .init(points: [(0, 1), (10, 4)], style: "band")
    )
    let html = chart.html
    #expect(html.contains("<path class=\"curve\" d=\"M0.0 100.0L500.0 75.0L1000.0 0.0\"/>"))
    #expect(html.contains("<path class=\"band\" d=\"M0.0 75.0L1000.0 0.0L1000.0 50.0L0.0 100.0Z\"/>"))
    #expect(html.contains("text-anchor=\"end\" x=\"100.00%\" y=\"0.0\" dy=\"-9\">4.00</text>"))
  }

  @Test("a loss is smoothed by means around each point") func smooth() throws {
    let steps = Array(1...120)
    let curve = TrainingCurve(steps: steps, losses: steps.map(Double.init), rates: steps.map { _ in 0 })
    let smooth = try #require(SmoothLoss(curve))
    #expect(smooth.window == 5)
    #expect(smooth.values[60] == 61 && smooth.values[0] == 2 && smooth.values[119] == 119)
    #expect(SmoothLoss(TrainingCurve(steps: [1], losses: [3], rates: [0]))?.values == [3])
    #expect(SmoothLoss(TrainingCurve(steps: [], losses: [], rates: [])) == nil)
  }
}
