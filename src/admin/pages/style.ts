/** The one style sheet of all pages. Contrast of texts is at least 4.5, of lines and bars of charts at least 3 (WCAG 2.2). */
export const STYLE: string = `
:root {
  color-scheme: light dark;
  --ground: #f6f7f9; --surface: #fff; --text: #1c2430; --muted: #556173; --rule: #dde2e9;
  --accent: #1d5fb8; --good: #17724a; --bad: #b3261e; --warn: #8a5a00;
  --s0: #0f6a8b; --s1: #2b8a6b; --s2: #6f8218; --s3: #b06a00; --s4: #c2453d; --s5: #8449ad; --s6: #7d8897;
  font: 100%/1.5 system-ui, sans-serif;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #11151b; --surface: #191f28; --text: #e4e9f0; --muted: #a2aebf; --rule: #2d3643;
    --accent: #85b4ff; --good: #63d39d; --bad: #ff948b; --warn: #f0bd62;
    --s0: #5abfe4; --s1: #5ccfa6; --s2: #bfd257; --s3: #efb256; --s4: #ff8b80; --s5: #c79af0; --s6: #8793a4;
  }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--ground); color: var(--text) }
a { color: var(--accent); text-underline-offset: .15em }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 2px }
.skip { position: absolute; inset-inline-start: -100vw; background: var(--surface); padding: .5rem 1rem; z-index: 1 }
.skip:focus { inset: .5rem auto auto .5rem }
header, main, footer { max-width: 84rem; margin: 0 auto; padding: 0 1.25rem }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem 2rem; padding-block: 1.1rem .8rem; border-bottom: 1px solid var(--rule) }
.brand { font-weight: 650; letter-spacing: .01em } .brand span { color: var(--muted); font-weight: 400 }
header ul { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.3rem; margin: 0; padding: 0 }
header a { display: inline-block; padding: .25rem 0; text-decoration: none; color: var(--text); border-bottom: 2px solid transparent }
header a:hover { border-color: var(--rule) } header a[aria-current] { color: var(--accent); border-color: var(--accent) }
main { padding-block: 1.4rem 2rem } main:focus { outline: none }
h1 { font-size: 1.55rem; line-height: 1.25; margin: 0 0 .8rem; font-weight: 650; overflow-wrap: anywhere }
h2 { font-size: 1.1rem; margin: 2rem 0 .6rem; font-weight: 620; overflow-wrap: anywhere }
p { max-width: 48rem } .note, small { color: var(--muted); font-size: .9rem }
.problem { border-inline-start: .3rem solid var(--bad); padding: .5rem .8rem; background: var(--surface) }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .8rem; margin: 0 0 1.6rem }
.tiles div, .chart, .scroll, .facts { background: var(--surface); border: 1px solid var(--rule); border-radius: .6rem }
.tiles div { padding: .8rem 1rem } .tiles dt { color: var(--muted); font-size: .9rem }
.tiles dd { margin: 0; font-size: 1.45rem; font-weight: 600; font-variant-numeric: tabular-nums }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 0 1.2rem; align-items: start }
.scroll { overflow-x: auto } .scroll, .facts { margin: 0 0 1.4rem }
.scroll th:first-child:not([colspan]) { position: sticky; inset-inline-start: 0; background: var(--surface) }
table { border-collapse: collapse; width: 100%; font-size: .93rem }
caption { text-align: start; font-weight: 600; padding: .7rem .75rem; color: var(--text) }
th, td { text-align: start; vertical-align: top; padding: .4rem .75rem; border-top: 1px solid var(--rule) }
th { font-weight: 500 } thead th { color: var(--muted); white-space: nowrap }
td { font-variant-numeric: tabular-nums } .number { text-align: end; white-space: nowrap }
.facts th { width: 42%; color: var(--muted) } .facts td { overflow-wrap: anywhere }
.section th { background: color-mix(in srgb, var(--accent) 7%, var(--surface)); font-weight: 620; color: var(--text) }
.metric th { min-width: 15rem; max-width: 34rem } .metric small { display: block; font-weight: 400 }
.share { color: var(--muted) } .empty { color: var(--muted); padding-block: 1.2rem }
.id, .address, code { font-family: ui-monospace, monospace; font-size: .92em } .id { overflow-wrap: anywhere }
.address, .words, time { white-space: nowrap } th .id { display: inline-block; width: max-content; max-width: min(22rem, 42vw) }
.sort { color: inherit; text-decoration: none; display: inline-flex; gap: .35rem; align-items: baseline }
.sort:hover { text-decoration: underline } .arrow { color: var(--accent) }
.tag { display: inline-block; padding: 0 .5rem; border: 1px solid currentColor; border-radius: 1rem; font-size: .85em; white-space: nowrap }
.good { color: var(--good) } .bad { color: var(--bad) } .warn { color: var(--warn) } .plain { color: var(--muted) }
details ul { margin: .2rem 0 0; padding-inline-start: 1.1rem; white-space: nowrap } details { margin: 0 0 1.4rem } td details { margin: 0 } summary { cursor: pointer; width: max-content }
.chart { margin: 0 0 1.4rem; padding: .8rem 1rem } figcaption { margin-bottom: .5rem }
.legend { list-style: none; margin: .3rem 0 0; padding: 0; display: flex; flex-wrap: wrap; gap: .1rem 1rem; font-size: .88rem; color: var(--muted) }
.legend li { display: flex; align-items: center; gap: .4rem } .swatch { width: 1.1rem; height: .7rem; flex: none }
.plot { display: grid; grid-template-columns: 1fr 1fr; font-size: .82rem; color: var(--muted) }
.plot .top, .plot svg { grid-column: 1 / -1 } .plot .right { text-align: end } .plot svg { width: 100%; height: 10rem; display: block; overflow: visible }
.grid { stroke: var(--rule); vector-effect: non-scaling-stroke }
.line { fill: none; stroke-width: 2; vector-effect: non-scaling-stroke } .dashed { stroke-dasharray: 5 4 }
${[0, 1, 2, 3, 4, 5, 6].map((i) => `.bar.s${i} { fill: var(--s${i}) } .line.s${i} { stroke: var(--s${i}) }`).join('\n')}
.choice { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; margin: 0 0 1rem; padding: 0; list-style: none }
.choice [aria-current] { color: var(--text); font-weight: 620; text-decoration: none }
dl.meanings { display: grid; grid-template-columns: max-content 1fr; gap: .4rem 1.2rem; font-size: .93rem } dl.meanings dd { margin: 0 }
footer { padding-block: .9rem 2rem; border-top: 1px solid var(--rule); display: flex; flex-wrap: wrap; gap: .4rem 2rem; justify-content: space-between; font-size: .9rem; color: var(--muted) }
footer ul { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: 0; padding: 0 }
.live { display: flex; gap: .8rem; align-items: baseline } .live[hidden] { display: none }
button { font: inherit; color: inherit; background: var(--surface); border: 1px solid var(--muted); border-radius: .4rem; padding: .15rem .7rem; cursor: pointer }
@media (max-width: 40rem) {
  header, main, footer { padding-inline: .9rem } th, td, caption { padding-inline: .6rem }
  .scroll th[scope=row] { max-width: 48vw } .metric th { min-width: 44vw } thead time { white-space: normal }
  dl.meanings { grid-template-columns: 1fr } dl.meanings dd { margin-bottom: .5rem }
}
@media print { nav, footer, .skip { display: none } }
`;
