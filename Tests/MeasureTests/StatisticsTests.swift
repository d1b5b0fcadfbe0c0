import Glibc
import Testing

@testable import Measure

/// Against published tables, scipy 1.x and statsmodels 0.14.
@Suite("Statistics") struct StatisticsTests {
  private func isNear(_ a: Double, _ b: Double, _ tolerance: Double = 1e-12) -> Bool { abs(a - b) <= tolerance }

  @Test("the normal distribution and its quantiles") func normal() {
    #expect(isNear(Normal.z95, 1.959963984540054))
    #expect(isNear(Normal.quantile(0.3), -0.5244005127080409))
    #expect(isNear(Normal.quantile(0.7), 0.5244005127080409))
    #expect(isNear(Normal.quantile(1e-10), -6.361340902404056))
    #expect(isNear(Normal.cumulative(-1.5), 0.06680720126885807))
    #expect(isNear(Normal.quantile(0.5), 0, 1e-15))
    for p in [1e-300, 1e-16, 0.025, 0.4999] { #expect(isNear(Normal.cumulative(Normal.quantile(p)) / p, 1, 1e-10)) }
  }

  @Test(
    "Wilson's interval, as in Newcombe 1998 (857), table I",
    arguments: [
      (81, 263, 0.2552885198782742, 0.36620957698280004, 0.2553, 0.3662),
      (15, 148, 0.06238639953073628, 0.16048724172330803, 0.0624, 0.1605),
      (0, 20, 0, 0.1611251580528194, 0, 0.1611),
      (1, 29, 0.006113214292762667, 0.17175521879320294, 0.0061, 0.1718),
      (29, 29, 0.8830302015002592, 1, 0.8830, 1),
    ])
  func wilson(hits: Int, trials: Int, low: Double, high: Double, printedLow: Double, printedHigh: Double) {
    let interval = Proportion(hits, of: trials).wilson
    #expect(isNear(interval.low, low) && isNear(interval.high, high))
    #expect(isNear(interval.low, printedLow, 5e-5) && isNear(interval.high, printedHigh, 5e-5))
    #expect(interval.method == .wilson)
  }

  @Test(
    "Newcombe's interval, as in Newcombe 1998 (873), table II",
    arguments: [
      (56, 70, 48, 80, 0.05243147240236498, 0.33387265403690614),
      (9, 10, 3, 10, 0.1705227239345029, 0.809017973535488),
      (6, 7, 2, 7, 0.05822792748231209, 0.8062496375242278),
      (5, 56, 0, 29, -0.038137147903536936, 0.19256001385511165),
      (0, 10, 0, 20, -0.1611251580528194, 0.27753279986288926),
      (10, 10, 0, 20, 0.6790860371419145, 1),
    ])
  func newcombe(after: Int, n: Int, before: Int, m: Int, low: Double, high: Double) {
    let interval = ChangeInterval.newcombe(before: Proportion(before, of: m), after: Proportion(after, of: n))
    #expect(isNear(interval.low, low) && isNear(interval.high, high))
    // The other way round it is the same, with the other sign.
    let back = ChangeInterval.newcombe(before: Proportion(after, of: n), after: Proportion(before, of: m))
    #expect(isNear(back.low, -high) && isNear(back.high, -low))
  }

  @Test(
    "Bonett and Price's interval, and McNemar's exact p",
    arguments: [
      (1, 7, 21, 0.013379823768343235, 0.5083593066664394, 0.0703125),
      (59, 6, 100, -0.6403143760467493, -0.3989013102277605, 4.964650327128616e-12),
      (0, 0, 50, -0.053303993244218376, 0.053303993244218376, 1),
      (41, 22, 1000, -0.034688504343453094, -0.0032356473531536915, 0.022574972673257185),
      (10, 0, 10, -1, -0.5205795584958712, 0.001953125),
    ])
  func paired(lost: Int, won: Int, items: Int, low: Double, high: Double, p: Double) {
    let interval = ChangeInterval.bonettPrice(lost: lost, won: won, items: items)
    #expect(isNear(interval.low, low) && isNear(interval.high, high))
    let flips = Flips(lost: lost, won: won)
    #expect(isNear(flips.pValue / p, 1, 1e-9))
    #expect(Flips(lost: won, won: lost).pValue == flips.pValue)
  }

  @Test("McNemar's exact p of many flips") func manyFlips() {
    #expect(isNear(Flips(lost: 480, won: 520).pValue, 0.2174482932041415, 1e-10))
    #expect(isNear(Flips(lost: 49_000, won: 51_000).pValue / 2.5887160383468943e-10, 1, 1e-6))
    #expect(Flips(lost: 3, won: 4997).pValue == 0)
    #expect(Flips(lost: 0, won: 0).pValue == 1)
    #expect(Flips(lost: 5, won: 5).pValue == 1)
    // The reason to look: 80 % became 72 % on 50 items, and a coin might have done it.
    #expect(Flips(lost: 10, won: 6).pValue > 0.4)
  }

  @Test("differences item by item, and standard errors") func errors() {
    let paired = ChangeInterval.paired([0.25, -0.5, 0, 0.1, 0.3])
    #expect(isNear(paired.low, -0.3665556800909633) && isNear(paired.high, 0.42655568009096323))
    let both = ChangeInterval.standardErrors(before: 0.5, 0.03, after: 0.6, 0.04)
    #expect(isNear(both.low, 0.1 - Normal.z95 * 0.05) && isNear(both.high, 0.1 + Normal.z95 * 0.05))
  }

  @Test(
    "Student's t",
    arguments: [
      (1, 12.706204736174694), (2, 4.302652729749462), (4, 2.7764451051977934), (9, 2.262157162798205),
      (29, 2.045229642132703), (1000, 1.9623390808264083),
    ])
  func student(degrees: Int, t: Double) {
    #expect(isNear(Student.t95(degrees: degrees), t, 1e-11))
    #expect(isNear(Student.tails(t, degrees: degrees), 0.05, 1e-12))
  }

  @Test("differences of items with weights, and of a perplexity made of them") func weighted() {
    let (before, after, weights) = ([3.1, 2.9, 3.4, 2.5], [3.0, 3.2, 3.3, 2.7], [10.0, 200, 35, 80])
    let mean = ChangeInterval.weighted(before: before, after: after, weights: weights, isExponential: false)
    #expect(isNear(mean.low, -0.004505732812872226) && isNear(mean.high, 0.44450573281287176))
    #expect(mean.method == .weightedDifferences)
    let perplexity = ChangeInterval.weighted(before: before, after: after, weights: weights, isExponential: true)
    #expect(isNear(perplexity.low, -0.7687306931591689, 1e-10) && isNear(perplexity.high, 9.37571294299058, 1e-10))
    // Of equal weights it is the interval of paired differences.
    let equal = ChangeInterval.weighted(before: before, after: after, weights: [2, 2, 2, 2], isExponential: false)
    let paired = ChangeInterval.paired(zip(before, after).map { $1 - $0 })
    #expect(isNear(equal.low, paired.low) && isNear(equal.high, paired.high))
  }

  @Test("Wilson's interval holds the share in about 95 of 100") func coverage() {
    // Exactly, from the binomial distribution: no draw of random numbers.
    for (share, n) in [(0.5, 60), (0.2, 100), (0.9, 80)] {
      let covered = (0...n).reduce(0.0) { sum, k in
        let interval = Proportion(k, of: n).wilson
        guard (interval.low...interval.high).contains(share) else { return sum }
        let choose = lgamma(Double(n) + 1) - lgamma(Double(k) + 1) - lgamma(Double(n - k) + 1)
        return sum + exp(choose + Double(k) * log(share) + Double(n - k) * log(1 - share))
      }
      #expect((0.93...0.97).contains(covered), "\(share) of \(n): \(covered)")
    }
  }

  @Test("items that would decide") func items() {
    // Half as wide takes four times as many.
    #expect(ItemsToDecide.count(items: 100, halfWidth: 2, distance: 1) == 400)
    #expect(ItemsToDecide.count(items: 100, halfWidth: 2, distance: -0.5) == 1600)
    #expect(ItemsToDecide.count(items: 100, halfWidth: 2, distance: 0) == nil)
    #expect(ItemsToDecide.count(items: 100, halfWidth: 2, distance: 1e-12) == nil)
    #expect(ItemsToDecide.count(items: 100, halfWidth: .infinity, distance: .infinity) == nil)
    // So many items do decide: Newcombe's interval of the same rates ends where the limit is.
    let few = ChangeInterval.newcombe(before: Proportion(300, of: 500), after: Proportion(290, of: 500))
    let limit = -0.03
    let needed = ItemsToDecide.count(items: 500, halfWidth: -0.02 - few.low, distance: -0.02 - limit)!
    let many = ChangeInterval.newcombe(
      before: Proportion(needed * 3 / 5, of: needed), after: Proportion(needed * 29 / 50, of: needed))
    #expect(abs(many.low - limit) < 2e-4)
  }
}
