import Measure
import Testing

@Suite struct SummaryTests {
  @Test func nothingMeasuredIsSaid() { #expect(ForgettingSummary.unmeasured.status == .unmeasured) }
}
