/// The style sheet of the pages, light and dark.
package enum HTMLStyle {
  /// Blues in even steps of lightness (OKLCH, hue 262), from low to high, for a light and a dark background.
  private static let light = [
    "dce9fe", "c0d7ff", "a4c4ff", "88b2fe", "6c9ffe", "518bfb", "3c78ed", "2b66db", "1d56c5", "1346ab", "0d398f",
    "0a2d71",
  ]
  private static let dark = [
    "142b59", "193976", "1f4793", "2856af", "3366c9", "4177df", "5289f2", "689cfe", "86b0fe", "a3c3fe", "bfd6ff",
    "dce9fe",
  ]
  package static var steps: Int { light.count }

  /// - Parameter metrics: the keys of the metrics of the heat maps. `r3` is step 3 of the metric `r`, which is visible
  ///   if the body has the class `m-r`.
  package static func sheet(metrics: [String]) -> String {
    let ramps = metrics.map { key in
      let steps = (0..<steps).map { ".m-\(key) .\(key)\($0){fill:var(--h\($0));background:var(--h\($0))}" }
      let others = metrics.filter { $0 != key }.map { ".m-\(key) .only-\($0)" }
      let hidden = others.isEmpty ? "" : "\(others.joined(separator: ",")){display:none}\n"
      return steps.joined(separator: "\n") + "\n" + hidden
    }
    return """
      :root{color-scheme:light dark;--bg:#f7f8fa;--card:#fff;--ink:#191d24;--soft:#5d6675;--line:#e2e6ec;--none:#eceff3;
      --odd:#9aa2ae;--accent:#2b66db;\(variables(light))}
      @media screen and (prefers-color-scheme:dark){:root{--bg:#0e1116;--card:#161a21;--ink:#e7eaf0;--soft:#98a1b0;--line:#272d37;
      --none:#1d222a;--odd:#5c6573;--accent:#86b0fe;\(variables(dark))}}
      \(layout)
      \(ramps.joined())
      """
  }

  private static func variables(_ colors: [String]) -> String {
    colors.enumerated().map { "--h\($0):#\($1)" }.joined(separator: ";")
  }

  private static let layout = """
    *{box-sizing:border-box}
    body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,
    "Helvetica Neue",Arial,sans-serif;font-variant-numeric:tabular-nums}
    main{max-width:1180px;margin:0 auto;padding:40px 28px 56px}
    .eyebrow{color:var(--accent);font-weight:600;letter-spacing:.02em}
    h1{font-size:30px;line-height:1.2;margin:4px 0 14px;letter-spacing:-.015em;overflow-wrap:anywhere}
    h1 .to{color:var(--soft);font-weight:400;padding:0 .15em}
    h2{font-size:18px;margin:0;letter-spacing:-.005em}
    dl.sides{display:grid;grid-template-columns:auto 1fr;gap:2px 12px;margin:0 0 16px;color:var(--soft);font-size:14px}
    dl.sides dt{font-weight:600;color:var(--ink)}
    dl.sides dd{margin:0;overflow-wrap:anywhere}
    .lead{font-size:17px;margin:0 0 22px}
    .cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(165px,1fr));gap:12px;margin-bottom:16px}
    .card,section{background:var(--card);border:1px solid var(--line);border-radius:12px}
    .card{padding:14px 16px}
    .card b{display:block;font-size:25px;line-height:1.25;font-weight:650;letter-spacing:-.015em}
    .card small{font-size:15px;font-weight:400;color:var(--soft)}
    .card span{display:block;color:var(--soft);font-size:13px;overflow-wrap:anywhere}
    section{padding:20px 22px;margin-bottom:16px}
    .head{display:flex;flex-wrap:wrap;gap:10px 20px;align-items:center;justify-content:space-between;margin-bottom:14px}
    .switch{display:inline-flex;border:1px solid var(--line);border-radius:8px;overflow:hidden}
    .switch[hidden]{display:none}
    .switch label{cursor:pointer}
    .switch input{position:absolute;opacity:0;pointer-events:none}
    .switch span{display:block;padding:5px 12px;font-size:13px;color:var(--soft)}
    .switch label+label span{border-left:1px solid var(--line)}
    .switch input:checked+span{background:var(--accent);color:var(--card);font-weight:600}
    .switch input:focus-visible+span{outline:2px solid var(--accent);outline-offset:-4px}
    .scroll{overflow-x:auto}
    .map+.map{margin-top:22px}
    .map h3{font-size:14px;margin:0 0 6px;color:var(--soft);font-weight:600}
    svg{display:block;font-size:12px;height:auto}
    @media(min-width:860px){svg.fits{max-width:100%}}
    svg text{fill:var(--ink)}
    svg text.soft{fill:var(--soft)}
    svg .mono,td.mono,.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
    rect.cell:hover{stroke:var(--ink);stroke-width:1.5}
    .same{fill:var(--none);background:var(--none)}
    .odd{fill:var(--odd);background:var(--odd)}
    .legend{display:flex;flex-wrap:wrap;align-items:flex-start;gap:6px 26px;margin-top:16px;font-size:12px;
    color:var(--soft)}
    .bar{position:relative;width:340px;max-width:100%;padding-bottom:20px;margin:0 22px 0 8px}
    .bar div{display:flex;height:12px;border-radius:3px;overflow:hidden}
    .bar div i{flex:1}
    .bar u{position:absolute;top:14px;transform:translateX(-50%);text-decoration:none;white-space:nowrap}
    .chip{display:inline-block;width:12px;height:12px;border-radius:3px;vertical-align:-1px;margin-right:6px}
    table{border-collapse:collapse;width:100%;font-size:13.5px}
    th{font-weight:600;color:var(--soft);text-align:left;white-space:nowrap}
    th,td{padding:6px 10px;border-bottom:1px solid var(--line);vertical-align:top}
    th:first-child,td:first-child{padding-left:0}
    th:last-child,td:last-child{padding-right:0}
    tbody tr:last-child td{border-bottom:0}
    td.n,th.n{text-align:right;white-space:nowrap}
    td:first-child{min-width:11em}
    td code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:12.5px;
    overflow-wrap:anywhere}
    .meter{display:inline-block;width:70px;height:6px;border-radius:3px;background:var(--none);margin-right:8px;
    vertical-align:2px;overflow:hidden}
    .meter i{display:block;height:100%;background:var(--accent)}
    summary{cursor:pointer;font-size:18px;font-weight:700;letter-spacing:-.005em}
    details[open] summary{margin-bottom:12px}
    .soft,footer{color:var(--soft)}
    footer{font-size:13px;max-width:90ch}
    @media print{body{background:#fff}.switch{display:none}}
    """
}
