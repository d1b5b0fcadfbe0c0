import ArgumentParser
import Base
import Measure

struct GateCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "gate",
    abstract: "Check limits on forgetting; the exit code passes or stops a pipeline.",
    discussion: """
      Limits are in percentage points. A limit holds only if the worse end of the 95 % confidence interval is within \
      it, and only for records that were measured on exactly the patch's weights.

      EXAMPLES
        vpatch gate counting.vpatch --max-forgetting 1.0
        vpatch gate counting.vpatch --max-forgetting 1.0 --min-learning 10
        vpatch gate counting.vpatch --max-forgetting 1.0 --probe docvqa_val \\
            --probe number_mass=5

      EXIT CODES
        0   passed: the worse ends of the intervals are within the limits
        10  exceeded: even the better end of an interval is beyond its limit
        11  undecided: the limit is within the interval; the output says how many items would decide
        12  unmeasured: there is no record
        13  reported: the records come from results files, and no model was hashed
        14  predicted: computed from the members of a stack
      """)

  @Argument(help: "The patch, or a stack of the store.", completion: .patchesAndStacks)
  var subject: String
  @Option(help: ArgumentHelp("Maximum loss on held-out tasks, on average, in percentage points.", valueName: "points"))
  var maxForgetting: Double
  @Option(help: ArgumentHelp("Minimum gain on target tasks, on average, in percentage points.", valueName: "points"))
  var minLearning: Double?
  @Option(
    help: ArgumentHelp(
      "Task to check by itself, with its own limit or that of --max-forgetting; repeatable.",
      valueName: "task[=limit]"))
  var probe: [String] = []
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func run() throws {
    let gate = try Gate(
      maxForgetting: maxForgetting, minLearning: minLearning, probes: probe.map(Gate.Probe.init(text:)))
    let report = try report()
    let outcome = gate.judge(report.records, report.summary)
    let json = JSON.object(
      (outcome.json.object ?? []) + [
        JSON.Member("exit_code", JSON(Int(outcome.verdict.exitCode))), JSON.Member("forgetting", report.json),
      ])
    let hasRows = !report.records.isEmpty || !report.foreign.isEmpty
    common.print(json, text: (hasRows ? report.table(width: common.width) + "\n" : "") + outcome.sentence.printable)
    if outcome.verdict != .passed { throw ExitCode(outcome.verdict.exitCode) }
  }

  private func report() throws -> ForgettingReport {
    if let (stack, store) = try workspace.stack(subject) {
      return try ForgettingReport(ofStack: stack.definition, store)
    }
    return try ForgettingReport(workspace.patch(subject))
  }
}

extension Gate.Probe {
  /// `TASK` or `TASK=LIMIT`; the last `=` separates them if a number follows it.
  fileprivate init(text: String) {
    if let equals = text.utf8.lastIndex(of: UInt8(ascii: "=")),
      let limit = Double(decimal: String(Substring(text.utf8[text.utf8.index(after: equals)...])))
    {
      self.init(task: String(Substring(text.utf8[..<equals])), limit: limit)
    } else {
      self.init(task: text)
    }
  }
}

extension Gate.Verdict {
  var exitCode: Int32 {
    switch self {
    case .passed: 0
    case .exceeded: 10
    case .undecided: 11
    case .unmeasured: 12
    case .reported: 13
    case .predicted: 14
    }
  }
}
