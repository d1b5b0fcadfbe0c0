import Catalogue
import Measure
import Testing

@Suite struct StoreTests {
  @Test func nothingMeasuredIsSaid() { #expect(ForgettingSummary.unmeasured.status == .unmeasured) }
}
