/// The style sheet of reports, in addition to `HTMLStyle`: plots, marks, lineage.
enum ReportStyle {
  /// Colours of roles and of points, for a light and a dark background: blue, orange, grey; then six that colour-blind
  /// people can tell apart (after Okabe and Ito).
  private static let light = """
    --target:#2b66db;--held-out:#c2560c;--probe:#6b7280;--k0:#2b66db;--k1:#c2560c;--k2:#0f8a6a;--k3:#a8327d;--k4:#8a6d00;\
    --k5:#4b5563;--on:#fff
    """
  private static let dark = """
    --target:#86b0fe;--held-out:#f59a58;--probe:#a3abb8;--k0:#86b0fe;--k1:#f59a58;--k2:#4cc9a4;--k3:#e58cc4;--k4:#dcc04a;\
    --k5:#b4bcc8;--on:#0e1116
    """

  static var sheet: String {
    let roles = ["target", "held-out", "probe"].map { ".\($0){--c:var(--\($0))}" }
    let points = (0..<ScatterPlot.colors).map { ".k\($0){--c:var(--k\($0))}" }
    return """

      :root{\(light)}
      @media screen and (prefers-color-scheme:dark){:root{\(dark)}}
      \((roles + points).joined(separator: "\n"))
      \(layout)
      """
  }

  private static let layout = """
    .note{color:var(--soft);font-size:13.5px;max-width:100ch;margin:8px 0 12px}
    .problem{border-left:3px solid var(--held-out);padding:6px 14px;margin:0 0 16px}
    h3{font-size:14px;margin:20px 0 8px}
    h3 small{font-weight:400;color:var(--soft);font-size:13px}
    dl.sides code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:12.5px}
    .cards{grid-template-columns:repeat(auto-fit,minmax(150px,1fr))}
    .of4{grid-template-columns:repeat(4,1fr)}
    .of5{grid-template-columns:repeat(5,1fr)}
    .of6{grid-template-columns:repeat(6,1fr)}
    @media(max-width:1000px){
    .of4{grid-template-columns:repeat(2,1fr)}
    .of5,.of6{grid-template-columns:repeat(6,1fr)}
    .of5 .card,.of6 .card{grid-column:span 2}
    .of5 .card:nth-child(n+4){grid-column:span 3}}
    @media(max-width:600px){
    .cards{grid-template-columns:repeat(2,minmax(0,1fr))}
    .card b{white-space:normal}
    .cards .card,.of5 .card:nth-child(n+4){grid-column:auto}
    .cards .card:last-child:nth-child(odd){grid-column:1/-1}}
    .card b{white-space:nowrap}
    .card .pill{display:inline-block;margin-top:7px;font-size:11.5px;line-height:17px}
    .card .none{color:var(--soft);font-size:25px;display:inline}
    .card .pill.measured{color:var(--on)}
    .card .pill:not(.measured){color:var(--soft)}
    .pill{display:inline-block;border:1px solid var(--soft);color:var(--soft);border-radius:99px;padding:0 9px;
    font-size:12px;line-height:19px;white-space:nowrap;font-weight:500}
    .pill.measured{background:var(--accent);border-color:var(--accent);color:var(--on)}
    .pill.predicted{border-style:dashed}
    .pill.unmeasured{border-color:transparent;background:var(--none)}
    .plot{padding:10px 14px 2px 58px;margin-bottom:6px}
    .plot>svg{width:100%;overflow:visible}
    .steps{color:var(--soft);font-size:12px;text-align:center;padding-top:22px}
    .axis{color:var(--soft);font-size:12px;margin:0 0 2px}
    line.grid{stroke:var(--line)}
    line.zero{stroke:var(--odd)}
    path.raw,path.curve,path.rate,path.drift{fill:none;vector-effect:non-scaling-stroke;stroke-linejoin:round}
    path.raw{stroke:var(--h3);stroke-width:1}
    path.curve,path.drift{stroke:var(--accent);stroke-width:2}
    path.rate{stroke:var(--soft);stroke-width:1.5}
    path.band{fill:var(--accent);opacity:.18}
    circle.curve,circle.drift{fill:var(--accent);stroke:var(--card);stroke-width:1.5}
    svg text.value{font-weight:600;paint-order:stroke;stroke:var(--card);stroke-width:4px;stroke-linejoin:round}
    line.budget{stroke:var(--held-out);stroke-width:1.5;stroke-dasharray:6 4}
    svg text.budget{fill:var(--held-out)}
    .keys{float:right;font-weight:400;font-size:12px;color:var(--soft)}
    .keys i{display:inline-block;width:18px;border-top:2px solid var(--accent);vertical-align:4px;margin:0 6px 0 14px}
    .keys i.raw{border-top:1px solid var(--h3)}
    dl.settings{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:8px 18px;margin:0;
    font-size:13.5px}
    dl.settings dt{color:var(--soft);font-size:12.5px}
    dl.settings dd{margin:0;overflow-wrap:anywhere;font-weight:500}
    table.forest{display:block;font-size:13.5px}
    .forest tbody{display:block}
    .forest tr{display:grid;grid-template-columns:minmax(120px,1.4fr) 108px minmax(140px,3fr) 196px 52px 60px 56px;
    column-gap:12px;align-items:center}
    .forest th,.forest td{border:0;padding:0}
    .forest td:first-child{min-width:0}
    .forest .frow{min-height:34px;border-top:1px solid var(--line)}
    .forest .frow td:not(.fplot){padding:6px 0}
    .forest .fhead{font-size:12.5px;padding-bottom:6px}
    .fhead .fplot div{display:flex;justify-content:space-between;font-weight:400}
    .fgroup{padding:14px 0 5px}
    .forest .fgroup th{grid-column:1/-1;white-space:normal;color:var(--c);font-size:13px}
    .task{display:flex;flex-wrap:wrap;gap:2px 8px;align-items:center;overflow-wrap:anywhere}
    .task small,.change small{color:var(--soft);font-size:12.5px;font-weight:400}
    .task b{font-weight:600}
    .mean{background:color-mix(in srgb,var(--c) 7%,transparent)}
    .fplot{position:relative;align-self:stretch}
    .frow .fplot>svg{position:absolute;inset:0;width:100%;height:100%;overflow:visible}
    .fticks .fplot svg{width:100%;height:18px;overflow:visible}
    .forest .change{white-space:nowrap}
    line.bar{stroke:var(--c);stroke-width:2}
    .mark{fill:var(--c);stroke:var(--c);stroke-width:2}
    .reported .mark{fill:var(--card)}
    .predicted .mark,.predicted circle{fill:var(--card);stroke-dasharray:3 2}
    .predicted line.bar{stroke-dasharray:4 3}
    .forest .fticks .soft{font-size:12px}
    .forest .fticks td.soft{padding-left:22px}
    .point line.bar{opacity:.75;stroke-width:1.5}
    .point circle{fill:var(--c);stroke:var(--c);stroke-width:2}
    .point.measured circle{stroke:var(--card);stroke-width:1.5}
    svg text.name{fill:var(--c);font-weight:600;paint-order:stroke;stroke:var(--card);stroke-width:4px;
    stroke-linejoin:round}
    .beside{display:grid;grid-template-columns:minmax(0,3fr) minmax(0,2fr);gap:8px 28px;align-items:start}
    .beside>:only-child{grid-column:1/-1}
    .beside h3{margin-top:0}
    .chip.target,.chip.held-out,.chip.probe{background:var(--c)}
    .samples{display:grid;gap:12px}
    .sample{border-top:1px solid var(--line);padding-top:10px;display:grid;
    grid-template-columns:repeat(3,minmax(0,1fr));gap:4px 20px;font-size:13.5px}
    .sample p{grid-column:1/-1;margin:0;color:var(--soft);white-space:pre-wrap;overflow-wrap:anywhere}
    .sample div{overflow-wrap:anywhere;white-space:pre-wrap}
    .sample b{display:block;color:var(--soft);font-weight:600;font-size:12.5px}
    path.validation{fill:none;vector-effect:non-scaling-stroke;stroke:var(--held-out);stroke-width:2}
    circle.validation{fill:var(--held-out);stroke:var(--card);stroke-width:1.5}
    .keys i.validation{border-top:2px solid var(--held-out)}
    .point text{fill:var(--on);font-weight:650;font-size:11.5px}
    .point.reported circle,.point.predicted circle{fill:var(--card)}
    .point.reported text,.point.predicted text{fill:var(--c)}
    .dot{display:inline-block;min-width:22px;height:22px;border-radius:11px;text-align:center;font-size:11.5px;
    font-weight:650;line-height:18px;margin-right:9px;border:2px solid var(--c);background:var(--c);color:var(--on)}
    .dot.reported,.dot.predicted{background:none;color:var(--c)}
    .dot.predicted{border-style:dashed}
    .dot.off{border-color:var(--none);background:var(--none);color:var(--soft)}
    table.key td{vertical-align:middle}
    .related{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(300px,100%),1fr));gap:0 32px}
    .rail{list-style:none;margin:0;padding:0}
    .rail li{position:relative;padding:0 0 14px 26px;overflow-wrap:anywhere}
    .rail li::before{content:"";position:absolute;left:3px;top:6px;width:9px;height:9px;border-radius:50%;
    border:2px solid var(--accent);background:var(--accent)}
    .rail li.base::before{background:var(--card)}
    .rail li.stack::before{border-radius:1px;transform:rotate(45deg) scale(.85)}
    .rail:not(.loose) li:not(:last-child)::after{content:"";position:absolute;left:9px;top:20px;bottom:-5px;
    border-left:2px solid var(--line)}
    .rail b{font-weight:600}
    .rail li.this b{color:var(--accent)}
    .rail span{display:block;color:var(--soft);font-size:13px}
    .sizes{display:grid;grid-template-columns:auto minmax(120px,1fr) auto;gap:10px 16px;align-items:center;
    font-size:13.5px}
    .size{display:contents}
    .size>span:first-child{color:var(--soft)}
    .size i{display:block;height:12px;border-radius:3px;background:var(--none)}
    .size i b{display:block;height:100%;min-width:2px;border-radius:3px;background:var(--accent)}
    .folds summary{font-size:15px;font-weight:600;padding:6px 0}
    .related h3{margin-top:0}
    .related>div{margin-bottom:10px}
    section>:last-child{margin-bottom:0}
    .forest+.note,.sizes+.scroll,.legend+.scroll{margin-top:14px}
    @media screen and (max-width:880px){
    main{padding:24px 14px 40px}
    section{padding:16px 14px}
    h1{font-size:25px}
    dl.sides{grid-template-columns:1fr;gap:0}
    dl.sides dd{margin-bottom:6px}
    .plot{padding-left:46px;padding-right:6px}
    .forest .fhead,.forest .fhead .fplot,.forest .fticks,.forest .fticks .fplot{display:block}
    .forest tr.fgroup{display:block}
    .forest .fhead th:not(.fplot),.forest .fticks td:not(.fplot){display:none}
    .forest tr.frow{grid-template-columns:1fr 1fr 1fr;gap:2px 10px;padding:9px 0}
    .forest .frow td:not(.fplot){padding:0}
    .forest .task,.forest .fplot{grid-column:1/-1}
    .forest .frow .fplot{order:1;height:28px}
    .forest .before{text-align:left}
    .forest .change{grid-column:2/-1}
    .forest .items,.forest .flips,.forest .p{order:2;text-align:left;font-size:12.5px;color:var(--soft)}
    .forest .p{text-align:right}
    .forest td:empty,.forest .frow .fplot:empty{display:none}
    .forest .items::before,.forest .flips::before,.forest .p::before{content:attr(data-label) " "}
    .forest .mean .change{grid-column:1/-1;text-align:left}
    .beside,.sample{grid-template-columns:minmax(0,1fr)}
    .sizes{grid-template-columns:1fr;gap:3px}
    .size>span:last-child{margin-bottom:8px}
    .keys{float:none;display:block}
    .keys i:first-child{margin-left:0}
    }
    @media print{
    @page{margin:12mm}
    body{font-size:12px}
    main{padding:0;max-width:none}
    section,.card{border-radius:6px}
    section{padding:14px}
    h2,h3,summary,.fgroup,.note{break-after:avoid}
    .card,.plot,.map,.sample,tr,li{break-inside:avoid}
    .cards,.of4,.of5,.of6{grid-template-columns:repeat(6,minmax(0,1fr))}
    .cards .card{grid-column:span 2}
    .of4 .card,.of5 .card:nth-child(n+4){grid-column:span 3}
    .card b{white-space:normal;font-size:20px}
    .beside{grid-template-columns:1fr}
    .scroll{overflow:visible}
    .map svg{max-width:100%}
    table,table.forest{font-size:11px}
    .task small,.change small,.forest .fhead{font-size:10.5px}
    .forest tr{grid-template-columns:minmax(90px,1.4fr) 92px minmax(90px,2fr) 160px 40px 52px 44px;column-gap:8px}
    }

    """
}
