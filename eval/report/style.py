"""The style sheet of the report: two colour schemes under one set of names, and narrow screens."""

STYLE = """
:root {
  --paper: #faf9f6; --panel: #f0eee8; --ink: #22262b; --faint: #656c75; --line: #dbd8d0;
  --accent: #22688c; --low: #efa184; --middle: #f0dfac; --high: #94cfae; --on: #22262b;
  --stood: #4d9d76; --fell: #d3704b;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171a; --panel: #1e2327; --ink: #e6e7e4; --faint: #98a0a8; --line: #333a41;
    --accent: #71b7db; --low: #8a3b25; --middle: #6d5c26; --high: #226846; --on: #f2f2ee;
    --stood: #4b9a72; --fell: #cb6843;
  }
}
* { box-sizing: border-box; }
html { background: var(--paper); color: var(--ink); scroll-behavior: smooth; }
body {
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
  max-width: 68rem; margin: 0 auto; padding: 1.5rem 1.25rem 4rem;
  font-variant-numeric: tabular-nums;
}
header p { margin: 0; color: var(--accent); font-weight: 600; }
h1 { margin: 0; font-size: 2rem; line-height: 1.2; overflow-wrap: anywhere; }
section { margin-top: 2.5rem; }
header + main > section:first-child { margin-top: 1rem; }
h2 { font-size: 1.25rem; margin: 0 0 .25rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 .35rem; }
p { margin: .25rem 0 .75rem; max-width: 46rem; color: var(--faint); }
small { color: var(--faint); font-weight: 400; font-size: .8rem; }
h3 small, tbody th small { margin-left: .5em; }
.lead { font-size: 1.1rem; color: var(--ink); }
.tiles {
  display: grid; gap: .75rem; grid-template-columns: repeat(auto-fit, minmax(11.5rem, 1fr));
}
.tile { background: var(--panel); border-radius: .75rem; padding: .8rem 1rem; }
.tile h2 { font-size: .9rem; color: var(--faint); font-weight: 600; margin: 0; }
.tile b { display: block; font-size: 1.6rem; line-height: 1.3; overflow-wrap: anywhere; }
.tile p { margin: 0; font-size: .85rem; }
.tile .bar { width: 100%; max-width: 14rem; margin: .35rem 0; }
.bar { display: block; width: 7rem; height: auto; overflow: visible; }
.track { fill: var(--line); }
.span { fill: var(--accent); opacity: .4; }
.mark { fill: var(--accent); }
.axis { display: grid; grid-template-columns: 8.5rem 1fr; gap: .5rem; margin-top: .6rem; }
.axis h3 { margin: .45rem 0 0; line-height: 1.25; }
.axis h3 small { display: block; margin: 0; }
.cells {
  display: grid; gap: .35rem; grid-template-columns: repeat(auto-fill, minmax(6.6rem, 1fr));
}
.cell {
  display: grid; grid-template-rows: 1fr auto auto; padding: .4rem .65rem .5rem;
  border-radius: .5rem; color: var(--on);
  text-decoration: none; line-height: 1.25; font-size: .85rem;
}
.cell b { font-size: 1.25rem; }
.cell small { color: inherit; opacity: .85; }
.cell:hover, .cell:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
.matrix { display: grid; grid-template-columns: 7rem 3fr 2fr 2fr; gap: .35rem .75rem; }
.matrix h4 { margin: 0; font-size: .85rem; color: var(--faint); font-weight: 500; }
.matrix h3 { margin: .4rem 0 0; }
.matrix .cells {
  align-content: start; grid-template-columns: repeat(auto-fill, minmax(5.6rem, 1fr));
}
.matrix .cell span:empty { display: none; }
.matrix .cell { grid-template-rows: auto; align-content: center; padding: .25rem .6rem .3rem; }
.matrix .shared { grid-template: 100% / 1fr; }
.figures.four {
  grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); align-items: end;
}
.polar, .heat, .track-plot { display: block; width: 100%; max-width: 22rem; height: auto; }
.polar text, .heat text { font-size: 8px; fill: var(--faint); }
.track-plot text { font-size: 5px; fill: var(--faint); }
.polar path { stroke: var(--paper); stroke-width: 1; }
.polar text, .heat .in { fill: var(--on); pointer-events: none; }
.polar text[text-anchor="end"], .polar text[text-anchor="start"] { fill: var(--faint); }
.track-plot .axes { fill: none; stroke: var(--line); }
.track-plot .line { stroke: var(--faint); stroke-dasharray: 3 3; }
.scale { white-space: nowrap; }
.scale i { display: inline-block; width: .9rem; height: .7rem; }
.scroll { overflow-x: auto; margin: 0 -1.25rem; padding: 0 1.25rem; }
table { border-collapse: collapse; font-size: .9rem; width: 100%; }
th, td { text-align: right; padding: .3rem .5rem; border-bottom: 1px solid var(--line); }
thead th {
  color: var(--faint); font-weight: 500; font-size: .8rem; line-height: 1.2; vertical-align: bottom;
}
th:first-child { text-align: left; padding-left: 0; }
thead th[colspan] { text-align: left; padding-left: 1.2rem; }
tbody th { font-weight: 600; white-space: nowrap; }
td { white-space: nowrap; }
tr:target th, tr:target td { background: var(--panel); }
.figures {
  display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr));
}
figure { margin: 0; }
figcaption { font-size: .85rem; color: var(--faint); }
.histogram { display: block; width: 100%; height: auto; }
.histogram text { font-size: 7px; fill: var(--faint); }
.stood { fill: var(--stood); background: var(--stood); }
.fell { fill: var(--fell); background: var(--fell); }
.key {
  display: inline-block; width: .8rem; height: .8rem; border-radius: .2rem; margin-left: .6rem;
}
video { display: block; width: 100%; max-width: 30rem; border-radius: .5rem; margin-top: .4rem; }
.films td, .films th { text-align: left; }
.films th { width: 4.5rem; font-weight: 500; }
.films td:nth-child(2) { width: 4rem; text-align: right; }
.films td:nth-child(3) { width: 4rem; }
.films td:nth-child(4) { width: 12rem; white-space: normal; }
code, pre, dd { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
code {
  font-size: .82rem; background: var(--panel); border-radius: .3rem; padding: .15rem .4rem;
  user-select: all; white-space: normal; overflow-wrap: anywhere;
}
pre { font-size: .8rem; background: var(--panel); padding: 1rem; border-radius: .5rem;
  overflow: auto; max-height: 24rem; }
summary { cursor: pointer; color: var(--accent); margin: .75rem 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.25rem; margin: .5rem 0; }
dt { color: var(--faint); }
dd { margin: 0; font-size: .85rem; overflow-wrap: anywhere; }
@media (max-width: 40rem) {
  h1 { font-size: 1.5rem; }
  .tiles { grid-template-columns: 1fr 1fr; }
  .tile { padding: .65rem .75rem; }
  .tile:last-child:nth-child(odd) { grid-column: 1 / -1; }
  .tile b { font-size: 1.3rem; }
  .axis { grid-template-columns: 1fr; gap: .2rem; }
  .axis h3 small { display: inline; margin-left: .5em; }
  .matrix { grid-template-columns: 5.2rem 1fr 1fr 1fr; gap: .3rem .4rem; }
  .matrix h3 { font-size: .8rem; overflow-wrap: anywhere; }
  .matrix .cells { align-content: start; grid-template-columns: 1fr; }
  .cells { grid-template-columns: repeat(3, 1fr); }
  .cell { padding: .35rem .5rem; font-size: .8rem; overflow-wrap: anywhere; }
  tbody th:first-child, thead th:first-child {
    position: sticky; left: -1.25rem; background: var(--paper); padding: .3rem .5rem .3rem 0;
  }
  tbody th small { display: block; margin: 0; }
  .films tr {
    display: grid; grid-template-columns: 4rem 3rem 3rem 1fr; padding: .3rem 0; gap: 0 .4rem;
    align-items: baseline;
  }
  .films tr, .films tr:last-child { border-bottom: 1px solid var(--line); }
  .films th, .films td { border: 0; padding: .1rem 0; width: auto !important; }
  .films td:last-child { grid-column: 1 / -1; }
  .films th:first-child { position: static; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .4rem; }
}
@media print { .scroll { overflow: visible; } }
"""
