/// The looks of the page, light and dark as the reader's system asks.
let reportStyle = """
  :root {
    --page: #f7f7f5; --surface: #ffffff; --text: #1b1d21; --muted: #62676f; --line: #e2e2de;
    --accent: #3553c4; --second: #d0561f; --third: #1f8463; --alert: #c22f2f;
    --heat-0: #eef2fb; --heat-1: #a9c0ea; --heat-2: #4768c4; --heat-3: #14215c;
    --cold: #2456a6; --neutral: #f4f3f0; --warm: #b3371f;
  }
  @media (prefers-color-scheme: dark) {
    :root {
      --page: #121418; --surface: #1a1d23; --text: #e6e8ec; --muted: #99a1ac; --line: #2e333c;
      --accent: #8aa9ff; --second: #ff9a5c; --third: #5ccfa4; --alert: #ff7066;
      --heat-0: #20242d; --heat-1: #2f4c8a; --heat-2: #6f9bff; --heat-3: #f2f6ff;
      --cold: #5b94f0; --neutral: #20242d; --warm: #f0795b;
    }
  }
  * { box-sizing: border-box; }
  [hidden] { display: none !important; }
  html { scroll-behavior: smooth; }
  body {
    margin: 0; background: var(--page); color: var(--text);
    font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  }
  code, pre, .command, .strip, #tip, .readout { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
  main { max-width: 76rem; margin: 0 auto; padding: 1rem 1.25rem 4rem; }
  nav {
    display: flex; flex-wrap: wrap; gap: 0.2rem 1.2rem; padding: 0.4rem 0; border-bottom: 1px solid var(--line);
    font-size: 0.9rem;
  }
  nav a { color: var(--muted); text-decoration: none; }
  nav a:hover, nav a:focus-visible { color: var(--text); text-decoration: underline; }
  h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 0.6rem; overflow-wrap: anywhere; }
  h2 { font-size: 1.35rem; margin: 2.8rem 0 0.6rem; }
  h3 { font-size: 0.95rem; margin: 0; font-weight: 600; overflow-wrap: anywhere; }
  p { margin: 0.3rem 0 0.9rem; max-width: 48rem; }
  .command { margin: 1.6rem 0 0.1rem; color: var(--accent); font-size: 0.9rem; }
  .lead { margin: 0.1rem 0; color: var(--muted); overflow-wrap: anywhere; }
  .note, small, figcaption, footer { color: var(--muted); font-size: 0.84rem; }
  .card { background: var(--surface); border: 1px solid var(--line); border-radius: 10px; }
  .scripted { display: none; }
  .with-script .scripted { display: revert; }
  html:not(.with-script) :is(.chart, .map canvas, .positions) { display: none; }
  footer { margin-top: 3rem; }

  .facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 1rem; margin: 1.4rem 0; }
  .facts dt { color: var(--muted); font-size: 0.84rem; }
  .facts dd { margin: 0; font-size: 1.3rem; font-weight: 600; font-variant-numeric: tabular-nums; line-height: 1.3; }
  .facts small { display: block; font-weight: 400; }
  .commands { display: grid; grid-template-columns: max-content 1fr; gap: 0.3rem 1rem; margin: 0; font-size: 0.9rem; }
  .commands dt { color: var(--muted); }
  .commands dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }

  .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); gap: 1rem; }
  figure { margin: 0; padding: 0.9rem 1rem; min-width: 0; }
  figure header { display: flex; justify-content: space-between; align-items: baseline; gap: 1rem; }
  figure label { font-size: 0.84rem; color: var(--muted); }
  .chart { position: relative; height: 17rem; margin: 0.3rem 0 0.4rem; }
  details { color: var(--muted); font-size: 0.84rem; margin-top: 0.4rem; }
  summary { cursor: pointer; }
  details ul { margin: 0.3rem 0 0; padding-left: 1.2rem; max-height: 12rem; overflow-y: auto; overflow-wrap: anywhere; }

  .samples { padding: 0.9rem 1rem; }
  .with-script .samples label { display: flex; align-items: center; gap: 0.8rem; font-size: 0.9rem; }
  .samples input { flex: 1; min-width: 0; accent-color: var(--accent); }
  .samples output { font-variant-numeric: tabular-nums; font-weight: 600; min-width: 4rem; text-align: right; }
  .samples ol { list-style: none; margin: 0.4rem 0 0; padding: 0; }
  .samples img { display: block; max-width: 100%; image-rendering: pixelated; background: #fff; }
  .samples li + li { margin-top: 1rem; }
  .with-script .samples li h3 { display: none; }
  pre {
    margin: 0.4rem 0 0; font-size: 0.86rem; line-height: 1.5; white-space: pre-wrap; overflow-wrap: anywhere;
    max-height: 30rem; overflow-y: auto; unicode-bidi: isolate;
  }

  .strip { font-size: 0.86rem; line-height: 1.9; margin: 0 0 1rem; overflow-wrap: anywhere; }
  .strip span {
    --weight: 0%; padding: 0.12em 0.15em; border-radius: 3px; box-decoration-break: clone;
    background: color-mix(in srgb, var(--second) var(--weight), var(--surface)); border: 1px solid var(--line);
  }
  .strip span.query { outline: 2px solid var(--accent); }
  .layers { padding: 0.9rem 1rem; display: grid; gap: 1.1rem; }
  .maps {
    display: grid; gap: 0.8rem; margin-top: 0.4rem;
    grid-template-columns: repeat(auto-fill, minmax(clamp(4.8rem, 100% / var(--heads) - 0.8rem, 16rem), 1fr));
  }
  .map {
    display: block; align-self: start; padding: 0; border: 0; background: none; color: inherit; font: inherit;
    text-align: left; cursor: zoom-in;
  }
  .map span {
    display: block; font-size: 0.76rem; line-height: 1.35; margin-top: 0.2rem; color: var(--muted);
    font-variant-numeric: tabular-nums;
  }
  .map i { font-style: normal; }
  .map b { display: block; color: var(--text); font-weight: 600; }
  canvas { image-rendering: pixelated; }
  .map canvas { width: 100%; aspect-ratio: 1; border: 1px solid var(--line); border-radius: 4px; display: block; }
  .map:hover canvas, .map:focus-visible canvas { border-color: var(--accent); }
  dialog {
    border: 1px solid var(--line); border-radius: 12px; background: var(--surface); color: var(--text);
    padding: 1rem; width: min(46rem, calc(100vw - 1.5rem)); max-height: calc(100vh - 1.5rem);
  }
  dialog::backdrop { background: rgb(0 0 0 / 0.55); }
  dialog header { display: flex; justify-content: space-between; align-items: center; gap: 1rem; }
  .close { border: 0; background: none; color: var(--muted); font-size: 1.6rem; line-height: 1; cursor: pointer; }
  .enlarged { display: grid; grid-template-columns: auto 1fr; max-width: min(100%, 62vh); margin: 0 auto; }
  .enlarged canvas { width: 100%; aspect-ratio: 1; border: 1px solid var(--line); touch-action: none; }
  .keys { grid-column: 2; } .queries { writing-mode: vertical-rl; }
  .keys, .queries { color: var(--muted); font-size: 0.84rem; }
  .readout { font-size: 0.86rem; min-height: 3em; margin: 0.5rem 0; white-space: pre-wrap; overflow-wrap: anywhere; }
  #tip {
    position: fixed; left: 0; top: 0; z-index: 2; pointer-events: none; padding: 0.25rem 0.5rem; border-radius: 5px;
    background: var(--text); color: var(--page); font-size: 0.8rem; white-space: pre-wrap; max-width: 20rem;
  }

  .plane { display: grid; grid-template-columns: auto auto 1fr; gap: 0.3rem; }
  .plane canvas { width: 100%; height: 20rem; border: 1px solid var(--line); touch-action: pan-y; }
  .y-title { writing-mode: vertical-rl; transform: rotate(180deg); text-align: center; }
  .y-ticks { display: flex; flex-direction: column; justify-content: space-between; text-align: right; }
  .x-ticks { grid-column: 3; display: flex; justify-content: space-between; }
  .plane span, .scale { color: var(--muted); font-size: 0.84rem; font-variant-numeric: tabular-nums; }
  .scale { display: flex; align-items: center; justify-content: flex-end; gap: 0.5rem; margin-top: 0.5rem; }
  .scale canvas { width: 10rem; height: 0.7rem; border: 1px solid var(--line); }

  .plot { width: 100%; height: auto; display: block; }
  .plot text { fill: var(--muted); font-size: 12px; }
  .key { display: flex; flex-wrap: wrap; gap: 0.2rem 1rem; margin: 0.4rem 0; font-size: 0.84rem; color: var(--muted); }
  .key i { display: inline-block; width: 0.9em; height: 0.9em; border-radius: 2px; margin-right: 0.4em; vertical-align: -0.1em; border: 1px solid var(--line); }
  .replay { padding: 0.9rem 1rem; }
  .replay canvas { display: block; width: 100%; max-width: 600px; aspect-ratio: 600 / 320; margin: 0 auto; }
  .controls { display: flex; align-items: center; gap: 0.8rem; font-size: 0.9rem; margin-top: 0.6rem; }
  .controls input { flex: 1; min-width: 0; accent-color: var(--accent); }
  .controls button { font: inherit; padding: 0.2rem 0.9rem; border: 1px solid var(--line); border-radius: 6px; background: none; color: inherit; cursor: pointer; }
  .controls output { font-variant-numeric: tabular-nums; min-width: 11rem; text-align: right; color: var(--muted); }
  .wide { overflow-x: auto; margin-top: 1rem; }
  .results { margin: 0; }
  .results th, .results td { width: auto; padding-right: 1rem; }

  .tables { columns: 24rem; column-gap: 1rem; }
  table {
    width: 100%; margin: 0 0 1rem; border-spacing: 0; font-size: 0.86rem; break-inside: avoid; padding: 0.6rem 1rem;
  }
  caption { text-align: left; font-weight: 600; padding: 0.6rem 0 0.3rem; }
  th, td {
    text-align: left; font-weight: 400; padding: 0.22rem 0; border-top: 1px solid var(--line); vertical-align: top;
  }
  tr:first-child > * { border-top: 0; }
  th { color: var(--muted); padding-right: 1rem; width: 45%; }
  td { overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
  @media (max-width: 32rem) {
    main { padding: 0.6rem 0.8rem 3rem; }
    h1 { font-size: 1.5rem; }
    .facts { grid-template-columns: repeat(auto-fit, minmax(7.5rem, 1fr)); gap: 0.8rem; }
    .commands { grid-template-columns: 1fr; gap: 0; }
    .commands dd { margin-bottom: 0.5rem; }
    .chart { height: 14rem; }
    figure, .samples, .layers { padding: 0.7rem; }
  }
  @media print { nav, .scripted { display: none !important; } .card { break-inside: avoid; } }
  """
