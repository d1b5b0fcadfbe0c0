import Apply
import Base
import Measure
import PatchFormat
import TestModels
import Testing

@testable import Report

@Suite("The page of a patch") struct PatchPageTests {
  let scene: ReportScene

  init() throws { scene = try ReportScene() }

  @Test("all there is to say, and nothing from outside") func structure() throws {
    let subject = try scene.full()
    let html = PatchReport(subject).html()
    for title in ["Learning against forgetting", "Training", "Change of the weights", "Size"] {
      #expect(html.contains("<h2>\(title)</h2>"), "\(title)")
    }
    #expect(html.contains("<title>counting · vpatch report</title>"))
    #expect(html.contains("<code>\(subject.patch.identity.hex)</code>"))
    // A row for each record, and one for each mean.
    #expect(html.count(of: "<tr class=\"frow") == 4 + 2)
    #expect(html.contains("<b>+30.0</b> <small>+28.0 … +32.0</small>"))
    #expect(html.contains("learning, the mean of 1 task"))
    // Worse is negative in numbers and to the left in plots.
    #expect(html.contains("<b>-1.0</b> ± 2.0 pp") && html.contains("-1.0 <small>± 2.0 pp</small>"))
    #expect(!html.contains("forgotten on held-out tasks"))
    #expect(html.contains("<b>+30.0</b> ± 2.0 pp"))
    // What is in nats is said, and on no axis.
    #expect(html.count(of: "class=\"mark\"") == 3 + 2)
    #expect(html.contains("0 → 0.0125"))
    #expect(html.contains(">11/2<") && html.contains("0.0125 <small>nats</small>"))
    for part in ["Loss: 2.00 → 0.0222", "Learning rate", "budget 0.02", "rows.jsonl", "OpenBLAS 0.3.21 SkylakeX"] {
      #expect(html.contains(part), "\(part)")
    }
    #expect(html.count(of: "class=\"band\"") == 1 && html.count(of: "<path class=\"curve\"") == 1)
    for outside in ["http://", "https://", "src=", "href=", "@import", "url("] {
      #expect(!html.contains(outside), "\(outside)")
    }
    #expect(html.count(of: "<script>") == 1 && html.count(of: "<section>") == html.count(of: "</section>"))
    #expect(html.count(of: "<svg") == html.count(of: "</svg>"))
    #expect(!html.contains("pill unmeasured") && !html.contains("pill predicted"))
  }

  @Test("the same facts make the same bytes") func deterministic() throws {
    let subject = try scene.full()
    let again = ReportedPatch(try Patch(path: subject.patch.path, threads: 1))
    #expect(PatchReport(subject).html() == PatchReport(again).html())
    let pages = try [1, 2].map { threads in
      let change = try WeightChange(subject.patch, base: scene.base, WorkOptions(threads: threads))
      return PatchReport(subject, change: change).html()
    }
    #expect(pages[0] == pages[1])
  }

  @Test("what is missing is said: no measurement, no training, no base") func missing() throws {
    let html = PatchReport(try scene.patch("bare")).html()
    #expect(html.contains("Learning and forgetting of this patch were not measured."))
    #expect(html.contains("has no training record"))
    #expect(html.contains("Without the base, the map shows the bits per weight"))
    #expect(html.count(of: "pill unmeasured") == 3 && !html.contains("pill measured"))
    // Three layers of nine components.
    #expect(html.count(of: "<rect class=\"cell") == 27)
    #expect(html.count(of: "<rect class=\"cell same\"") == 15)
    #expect(html.contains("<body class=\"m-b\">") && html.contains(".m-b .b11{fill:var(--h11)"))
    #expect(!html.contains("<h2>Lineage</h2>"))
  }

  @Test("training without drift, without a budget, and one that was stopped") func training() throws {
    func html(_ record: TrainingRecord) throws -> String {
      PatchReport(try scene.patch("p") { record.replacing(in: $0.annotations) }).html()
    }
    #expect(try html(ReportScene.training(drift: false)).contains("Drift was not measured during training."))
    let free = try html(ReportScene.training(budget: nil))
    #expect(free.contains("No drift budget was set.") && !free.contains("class=\"budget\" x1"))
    #expect(try html(ReportScene.training(stopped: "max-drift")).contains("stopped early: max-drift"))
    var empty = ReportScene.training()
    empty.curve = TrainingCurve(steps: [], losses: [], rates: [])
    #expect(try html(empty).contains("No loss was recorded."))
  }

  @Test("over the base: the change itself, by component") func moved() throws {
    let subject = try scene.full()
    let html = PatchReport(subject, change: try WeightChange(subject.patch, base: scene.base, scene.work)).html()
    #expect(html.contains("Measured against the base"))
    #expect(html.contains("all tuned tensors") && html.contains("<code>self_attn.q_proj</code>"))
    #expect(html.contains("<body class=\"m-r\">"))
    #expect(!html.contains("stored bits per weight"))
  }

  @Test("reported is not measured, and records of other models are not shown") func status() throws {
    let reported = try scene.patch("r") { patch in
      ReportScene.records(patch, isMeasured: false).replacing(in: patch.annotations)
    }
    let html = PatchReport(reported).html()
    #expect(html.contains("pill reported") && !html.contains("pill measured"))
    #expect(html.contains("<svg class=\"reported\"") && !html.contains("<svg class=\"measured\""))
    let foreign = try scene.patch("f") { patch in
      [ReportScene.record(patch, "elsewhere", .target, before: 0.1, after: 0.9, reference: SHA256Hasher.hash("other"))]
        .replacing(in: patch.annotations)
    }
    let page = PatchReport(foreign).html()
    #expect(page.contains("1 record of other models, not counted and not shown"))
    #expect(!page.contains("elsewhere") && page.contains("pill unmeasured"))
  }

  @Test("notes that cannot be read are said, and nothing is taken from them") func malformed() throws {
    let subject = try scene.patch("m") { patch in
      patch.annotations.setting("forgetting", to: JSON(3)).setting("training", to: .object([]))
    }
    #expect(subject.problems.count == 2)
    let html = PatchReport(subject).html()
    #expect(html.contains("has forgetting records that are not a list; this is ignored."))
    #expect(html.contains("has a training record that does not have exactly one of &quot;recipe&quot;"))
    #expect(html.contains("pill unmeasured"))
  }

  @Test("hostile words stay words") func hostile() throws {
    let evil = "<script>alert(1)</script>\"'&\u{202E}\u{1B}[2J"
    let subject = try scene.patch("evil") { patch in
      var training = ReportScene.training(stopped: evil)
      training.tuned = .only(evil)
      training.layers = evil
      training.kernels = evil
      training.settings = [JSON.Member(evil, .string(evil))]
      training.data = [.init(name: evil, digest: SHA256Hasher.hash("x"), rows: 1, tokens: 1, answerTokens: 1, cut: 0)]
      let records = ForgettingRecord.Role.allCases.map { role in
        var record = ReportScene.record(patch, evil, role, before: 0.1, after: 0.2, metric: evil)
        record.evaluator = .init(name: evil, version: evil)
        record.unit = MeasurementUnit(rawValue: role == .probe ? evil : "share")
        return record
      }
      let notes = records.replacing(in: training.replacing(in: patch.annotations))
      return ["name", "note", "recipe"].reduce(notes) { $0.setting($1, to: .string(evil)) }
        .setting("made", to: .dictionary(["writer": .string(evil)]))
    }
    let entry = ReportLineage.Entry(title: evil, details: [evil])
    let lineage = ReportLineage(
      base: entry, chain: [entry], after: [entry], siblings: [entry], stacks: [entry], note: evil)
    let stack = try StackDefinition([(subject.patch, 1)], method: .sum)
    let pages = [
      PatchReport(subject, lineage: lineage).html(), ComparisonReport([.init(subject), .init(subject)]).html(),
      StackReport(name: evil, definition: stack, members: [.init(subject, scale: 1)], lineage: lineage).html(),
    ]
    for html in pages {
      #expect(html.count(of: "<script>") == 1)
      #expect(!html.contains("\u{202E}") && !html.contains("\u{1B}"))
      #expect(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;\\u{202e}\\u{1b}[2J"))
    }
  }

  @Test("numbers out of all bounds are valid in records, and end nothing") func extreme() throws {
    for huge in [1e308, .leastNonzeroMagnitude] {
      let subject = try scene.patch("x") { patch in
        var training = ReportScene.training(budget: huge)
        training.curve = TrainingCurve(
          steps: (1...200).map { $0 * (Int.max / 200) }, losses: (1...200).map { $0 % 2 == 0 ? huge : -huge },
          rates: Array(repeating: huge, count: 200))
        training.drift = DriftCurve([.init(step: 0, drift: Estimate(0, low: -huge, high: huge))])
        (training.seconds, training.tokensPerSecond) = (huge, huge)
        var records = ReportScene.records(patch)
        for i in records.indices { records[i].interval = Interval(low: -huge - 1, high: huge + 1, .newcombe) }
        return training.replacing(in: records.replacing(in: patch.annotations))
      }
      #expect(subject.problems.isEmpty)
      let html = PatchReport(subject).html()
      #expect(html.contains("<h2>Training</h2>") && !html.contains("nan%") && !html.contains("inf%"))
      #expect(ComparisonReport([.init(subject), .init(subject)]).html().contains("<g class=\"point"))
    }
  }

  @Test("the lineage: from the base to the patch and on, siblings, stacks") func lineage() throws {
    func entry(_ title: String) -> ReportLineage.Entry { .init(title: title, details: ["about \(title)"]) }
    let lineage = ReportLineage(
      base: entry("base-model"), chain: [entry("first"), entry("second")], after: [entry("next")],
      siblings: (1...60).map { entry("sibling-\($0)") }, stacks: [entry("triage v4")], note: "A remark.")
    let html = PatchReport(try scene.patch("here"), lineage: lineage).html()
    let order = ["<b>base-model", "<b>first", "<b>second", "<b>here", "<b>next", "<b>sibling-1<", "<b>triage v4"]
    let places = order.compactMap { html.firstRange(of: $0)?.lowerBound }
    #expect(places.count == order.count && places == places.sorted())
    #expect(html.contains("<li class=\"patch this\">") && html.contains("A remark."))
    #expect(html.contains("<b>sibling-24<") && !html.contains("<b>sibling-25<") && html.contains("36 more"))
    #expect(PatchReport(try scene.patch("here"), lineage: lineage).json["lineage"]?["chain"]?.array?.count == 2)
  }
}
