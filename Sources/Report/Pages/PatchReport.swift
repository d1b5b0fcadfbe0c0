import Apply
import Base
import PatchFormat

/// The page of one patch.
package struct PatchReport: Sendable {
  package let subject: ReportedPatch
  package let lineage: ReportLineage?
  /// How far the weights moved, if the base was given.
  package let change: WeightChange?

  package init(_ subject: ReportedPatch, lineage: ReportLineage? = nil, change: WeightChange? = nil) {
    self.subject = subject
    self.lineage = lineage
    self.change = change
  }

  private var patch: Patch { subject.patch }

  package func html() -> String {
    let header = patch.header
    let made = patch.annotations["made"]?["writer"]?.string
    let entry = ReportLineage.Entry(title: subject.name, details: ["this patch", header.identity.short])
    let body =
      Part.facts([
        ("identity", Part.code(header.identity.hex)), ("base", Part.code(header.baseRoot.hex)),
        ("target", Part.code(header.targetRoot.hex)),
        ("note", patch.annotations["note"]?.string.map(HTML.escaped)), ("made by", made.map(HTML.escaped)),
      ]) + "<p class=\"lead\">\(HTML.escaped(headline))</p>\n" + problems + cards
      + ForgettingSection(
        title: "Learning against forgetting", report: subject.forgetting,
        unmeasured:
          """
          Learning and forgetting of this patch were not measured. 'vpatch annotate' adds the results of an \
          evaluation, 'vpatch eval BASE --patch PATCH --suite everyday --record' measures them.
          """
      ).html + TrainingSection(training: subject.training).html + moved
      + LineageSection(subject: entry, isStack: false, lineage: lineage).html + SizeSection(subject: subject).html
    return Part.page(
      kind: "patch", title: subject.name, metrics: change == nil ? [StoredMap.bitsKey] : ChangeMaps.keys, body: body)
  }

  /// The patch in a sentence.
  private var headline: String {
    let layout = PatchSummary(patch.header).layout.name
    let recipe = subject.recipe.map { ": \($0)" } ?? ""
    return "Changes \(Format.grouped(subject.touched.count)) of "
      + "\(Format.counted(patch.header.tensors.count, "tensor")) of a model of layout \(layout)\(recipe)."
  }

  private var problems: String {
    subject.problems.map { "<p class=\"problem\">The patch \(HTML.escaped($0)); this is ignored.</p>\n" }
      .joined()
  }

  private var cards: String {
    var cards = Part.cards(subject.summary)
    if let training = subject.training, let loss = SmoothLoss(training.curve) {
      let count = loss.window > 1 ? ", means of \(loss.window) points" : ""
      cards.append(
        Part.card(
          Format.significant(loss.values.last!),
          "final loss; initial loss \(Format.significant(loss.values[0]))\(count)"))
    }
    if subject.modelWeights > 0 {
      let share = Format.percent(Double(subject.tunedWeights) / Double(subject.modelWeights))
      cards.append(Part.card(share, "of the weights tuned: \(Format.grouped(subject.tunedWeights))"))
    }
    cards.append(
      Part.card(Format.bytes(patch.fileSize), "size of the patch; the model has \(Format.bytes(subject.modelBytes))"))
    return Part.cards(cards)
  }

  private var moved: String {
    if let change { return MovedSection(change: change).html }
    let map = StoredMap.bits(patch)
    let why =
      map.isEmpty
      ? "The tensors' names show no layers, so there is no map."
      : """
      Without the base, the map shows the bits per weight that the patch stores: more bits mean that weights moved \
      farther, in units in the last place. 'vpatch report --base MODEL' measures the change itself.
      """
    return Part.section("Change of the weights", Part.paragraph(why) + map)
  }

  package var json: JSON {
    .object((subject.json.object ?? []) + (lineage.map { [JSON.Member("lineage", $0.json)] } ?? []))
  }
}
