import ArgumentParser
import Base
import Checkpoints
import Report
import Workspace

struct ReportCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Write an HTML report about a patch or a stack: learning, forgetting, training.",
    discussion: """
      One self-contained page: learning against forgetting with intervals, training curves, a heat map by layer and \
      component, lineage, and size. It marks what is not known. Given several patches or stacks, the page compares \
      them: each is a point in a plot of learning against forgetting.

      EXAMPLES
        vpatch report counting.vpatch -o report.html
        vpatch report counting --base base/ -o report.html
            also measures how far each component moved from the base
        vpatch report triage -o triage.html
            a stack of the store
        vpatch report study/*.vpatch -o study.html
      """)

  @Argument(
    help: ArgumentHelp(
      "A patch, a stack of the store, or a stack file; several are compared.", valueName: "patch-or-stack"),
    completion: .patchesAndStacks)
  var subjects: [String]
  @Option(name: .shortAndLong, help: ArgumentHelp("Output file for the page.", valueName: "file"))
  var output: String
  @Option(help: ArgumentHelp("The base, to measure how far the weights moved.", valueName: "model"))
  var base: String?
  @Flag(help: "Replace an existing page.")
  var force = false
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func run() throws {
    if base != nil, subjects.count > 1 {
      throw VPatchError(.refused, nil, "--base requires a single patch or stack", remedy: "leave it out")
    }
    let base = try base.map { try workspace.checkpoint($0) }
    let subjects = try subjects.map { try ReportSubject($0, in: workspace) }
    try OutputCheck.file(
      output, inputs: subjects.flatMap(\.inputs) + (base?.inputs ?? []), force: force)
    let (html, json) = try page(subjects, base)
    let file = try OutputFile(path: output, replacing: force)
    try file.write(html, at: 0)
    try file.commit()
    common.report(
      .object([JSON.Member("output", .string(output))] + (json.object ?? [])), text: "wrote \(output.printable)")
  }

  private func page(_ subjects: [ReportSubject], _ base: SafetensorsCheckpoint?) throws -> (html: String, json: JSON) {
    func stack(_ input: StackInput) throws -> StackReport { try StackReport(input, base: base, in: workspace) }
    guard subjects.count == 1 else {
      let report = ComparisonReport(
        try subjects.map { subject in
          switch subject {
          case .patch(let patch): .init(patch)
          case .stack(let input): try stack(input).entry
          }
        })
      return (report.html(), report.json)
    }
    switch subjects[0] {
    case .patch(let patch):
      let report = try PatchReport(patch, base: base, in: workspace)
      return (report.html(), report.json)
    case .stack(let input):
      let report = try stack(input)
      return (report.html(), report.json)
    }
  }
}
