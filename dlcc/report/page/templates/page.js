// Charts that answer to hover, zoom and scale, and downloads. Without this script the page shows
// the same charts as still drawings.
"use strict";
(() => {
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const SHAPES = {};
  for (const shape of document.querySelectorAll("[id^=mark-]")) {
    const d = shape.getAttribute("d") || "M-4.6 0a4.6 4.6 0 1 0 9.2 0a4.6 4.6 0 1 0-9.2 0Z";
    SHAPES[shape.id.slice(5)] = new Path2D(d);
  }
  const live = new Map();

  // ---- numbers -------------------------------------------------------------------------------
  const short = (v) => {
    if (v === null || v === undefined || !Number.isFinite(v)) return "-";
    const size = Math.abs(v);
    if (size && (size >= 1e6 || size < 1e-3)) return v.toExponential(2).replace(/\.?0+e/, "e").replace("e+", "e");
    return size >= 1000 ? Math.round(v).toLocaleString("en") : String(+v.toPrecision(4));
  };

  // ---- data: one row a place, a column a trace -------------------------------------------------
  const columnsOf = (trace) => (trace.low ? [trace.y, trace.low, trace.high] : [trace.y]);
  const ascending = (x) => x.every((v, i) => i === 0 || v > x[i - 1]);
  function aligned(traces) {
    if (traces.every((t) => ascending(t.x)))
      return uPlot.join(traces.map((t) => [t.x, ...columnsOf(t)]), traces.map((t) => [1, ...columnsOf(t).map(() => 2)]));
    const rows = traces.flatMap((t, k) => t.x.map((x, i) => [x, k, i])).sort((a, b) => a[0] - b[0]);
    return [rows.map((r) => r[0]), ...traces.flatMap((t, k) => columnsOf(t).map((c) => rows.map((r) => (r[1] === k ? c[r[2]] : null))))];
  }

  // ---- one chart -------------------------------------------------------------------------------
  function shapesOf(chart) {
    return (u) => {
      const { ctx } = u, ratio = devicePixelRatio;
      ctx.save();
      ctx.beginPath();
      ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
      ctx.clip();
      for (const trace of chart.traces.filter((t) => t.style === "marks")) {
        ctx.fillStyle = css(trace.colour);
        trace.x.forEach((x, i) => {
          if (trace.y[i] === null) return;
          ctx.save();
          ctx.translate(u.valToPos(x, "x", true), u.valToPos(trace.y[i], "y", true));
          ctx.scale(ratio, ratio);
          ctx.fill(SHAPES[trace.marker] || SHAPES.circle);
          ctx.restore();
        });
      }
      ctx.restore();
    };
  }
  function underneath(chart) {
    return (u) => {
      const { ctx } = u, { left, top, width, height } = u.bbox;
      const inside = (a) => Math.min(Math.max(a, left), left + width);
      ctx.save();
      ctx.fillStyle = css("bad");
      ctx.globalAlpha = 0.14;
      for (const [low, high] of chart.spans) {
        const a = inside(u.valToPos(low, "x", true)), b = inside(u.valToPos(high, "x", true));
        ctx.fillRect(a, top, b - a, height);
      }
      ctx.globalAlpha = 1;
      ctx.lineWidth = devicePixelRatio;
      ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
      ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
      const named = [];
      for (const line of chart.lines) {
        const at = Math.round(u.valToPos(line.at, line.axis, true));
        const [from, to] = line.axis === "x" ? [left, left + width] : [top, top + height];
        if (!(at >= from && at <= to)) continue;
        ctx.strokeStyle = css(line.colour);
        ctx.beginPath();
        if (line.axis === "x") { ctx.moveTo(at, top); ctx.lineTo(at, top + height); }
        else { ctx.moveTo(left, at); ctx.lineTo(left + width, at); }
        ctx.stroke();
        ctx.fillStyle = css("ink");
        ctx.textAlign = at > left + 0.75 * width && line.axis === "x" ? "right" : "left";
        if (!line.name || line.axis !== "x") continue;
        const under = named.some((other) => Math.abs(other - at) < 60 * devicePixelRatio);
        ctx.fillText(line.name, at, top + (under ? 12 : -4) * devicePixelRatio);
        named.push(at);
      }
      ctx.restore();
    };
  }
  function seriesOf(chart) {
    const found = [{ label: chart.x.label, value: (u, v) => v === null || v === undefined ? "" : short(chart.steps && epochs() ? v / perEpoch : v) }];
    const bands = [];
    for (const trace of chart.traces) {
      const at = found.length, banded = Boolean(trace.low);
      const value = (u, v, si, i) => {
        if (i === null || v === null || v === undefined) return "";
        return banded ? `${short(v)} (${short(u.data[at + 1][i])} to ${short(u.data[at + 2][i])})` : short(v);
      };
      const drawn = trace.style === "line" || trace.style === "dashed";
      found.push({
        label: trace.name, stroke: () => css(trace.colour), value, spanGaps: false, width: drawn ? 1.5 : 0,
        dash: trace.style === "dashed" ? [5, 4] : undefined, paths: drawn ? undefined : () => null,
        points: trace.style === "dots" ? { show: true, size: 4, fill: () => css(trace.colour), width: 0 } : { show: trace.style === "line" && trace.x.length === 1 },
      });
      if (!banded) continue;
      const hidden = { stroke: "transparent", width: 0, points: { show: false }, spanGaps: false };
      found.push({ ...hidden, label: `${trace.name}, low`, class: "banded" }, { ...hidden, label: `${trace.name}, high`, class: "banded" });
      bands.push({ series: [at + 2, at + 1], fill: () => `color-mix(in srgb, ${css(trace.colour)} 22%, transparent)` });
    }
    return [found, bands];
  }
  const distr = (scale) => ({ linear: 1, log: 3, symlog: 4 })[scale];
  function axisOf(axis, isX, ofSteps) {
    const drawn = {
      stroke: () => css("dim"), font: "12px system-ui, sans-serif", labelFont: "12px system-ui, sans-serif",
      grid: { stroke: () => css("line"), width: 1 }, ticks: { stroke: () => css("line"), width: 1 },
      label: isX ? axis.label : axis.label || undefined, labelSize: 18, size: isX ? 32 : axis.names.length ? 110 : 58,
      values: (u, splits) => splits.map((v) => (v === null ? "" : short(isX && ofSteps && epochs() ? v / perEpoch : v))),
    };
    if (isX && ofSteps && epochs()) drawn.label = "epoch";
    if (axis.names.length) {
      drawn.splits = axis.names.map((n) => n[0]);
      drawn.values = axis.names.map((n) => n[1]);
    }
    return drawn;
  }
  function draw(figure, chart, logarithmic) {
    const old = live.get(figure);
    if (old) old.plot.destroy();
    const place = figure.querySelector(".live");
    const [series, bands] = seriesOf(chart);
    const data = aligned(chart.traces);
    const positive = chart.traces.every((t) => t.y.every((v) => v === null || v > 0));
    const scale = logarithmic === null ? chart.y.scale : logarithmic ? (positive ? "log" : "symlog") : "linear";
    const limits = (axis) => (axis.limits ? { range: (u, low, high) => (u.zoomed && axis === chart.x ? [low, high] : axis.limits) } : {});
    const plot = new uPlot({
      width: place.clientWidth, height: figure.closest(".seen") ? 190 : 300, series, bands,
      scales: {
        x: { time: false, distr: distr(chart.x.scale), asinh: chart.y.linear, ...limits(chart.x) },
        y: { distr: distr(scale), asinh: chart.y.linear, ...(scale === chart.y.scale ? limits(chart.y) : {}) },
      },
      axes: [axisOf(chart.x, true, chart.steps), axisOf(chart.y, false, false)],
      padding: [16, 24, 0, 0],
      cursor: { drag: { x: true, y: false }, ...(chart.steps ? { sync: { key: "steps", setSeries: false, scales: ["x", null] } } : {}) },
      hooks: {
        drawClear: [underneath(chart)], draw: [shapesOf(chart)],
        setSelect: [(u) => { u.zoomed = true; figure.querySelector(".unzoom").hidden = false; }],
      },
    }, data, place);
    for (const row of plot.root.querySelectorAll(".u-series.banded")) row.remove();
    plot.root.addEventListener("dblclick", () => unzoom(figure));
    live.set(figure, { plot, chart, scale });
    figure.querySelector(".log").setAttribute("aria-pressed", String(scale !== "linear"));
    figure.querySelector(".unzoom").hidden = true;
  }
  function unzoom(figure) {
    const { chart, scale } = live.get(figure);
    draw(figure, chart, scale !== "linear");
  }

  // ---- downloads -------------------------------------------------------------------------------
  function save(name, content, type) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }
  // a text that begins like a formula is not to be taken for one by a spreadsheet
  const quoted = (text) => `"${String(text).replace(/^[=+\-@]/, "'$&").replaceAll('"', '""')}"`;
  function csv(chart) {
    const lines = [["series", chart.x.label, chart.y.label || "value", "least", "largest"].map(quoted).join(",")];
    for (const t of chart.traces)
      t.x.forEach((x, i) => lines.push([quoted(t.name), x, t.y[i] ?? "", t.low?.[i] ?? "", t.high?.[i] ?? ""].join(",")));
    return lines.join("\n") + "\n";
  }
  // The picture is what the chart shows: its range, scale and axis, with title, units and legend.
  const NS = "http://www.w3.org/2000/svg";
  function make(name, attributes, text) {
    const made = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }
  function drawTrace(trace, place, at) {
    const rows = trace.x.map((x, i) => [at(x, trace.y[i]), trace.low && at(x, trace.low[i]), trace.high && at(x, trace.high[i])]);
    const known = rows.filter((r) => r[0]), colour = css(trace.colour);
    if (trace.style === "dots") {
      for (const [[x, y]] of known) place.append(make("circle", { cx: x, cy: y, r: 2, fill: colour, "fill-opacity": 0.65 }));
      return;
    }
    if (trace.style === "marks") {
      const shape = document.getElementById(`mark-${trace.marker}`);
      for (const [[x, y]] of known) {
        const mark = shape.cloneNode();
        mark.removeAttribute("id");
        mark.setAttribute("fill", colour);
        mark.setAttribute("transform", `translate(${x} ${y})`);
        place.append(mark);
      }
      return;
    }
    const banded = rows.filter((r) => r[1] && r[2]);
    if (banded.length) place.append(make("polygon", { points: [...banded.map((r) => r[2]), ...banded.map((r) => r[1]).reverse()].join(" "), fill: colour, "fill-opacity": 0.22 }));
    let d = "", drawn = false;
    for (const [point] of rows) {
      if (point) d += `${drawn ? "L" : "M"}${point}`;
      drawn = Boolean(point);
    }
    place.append(make("path", { d, fill: "none", stroke: colour, "stroke-width": 1.5, "stroke-dasharray": trace.style === "dashed" ? "5 4" : "none" }));
  }
  function svg(figure, chart) {
    const { plot } = live.get(figure), [x, y] = plot.axes, ratio = devicePixelRatio;
    const [left, top, width, height] = ["left", "top", "width", "height"].map((side) => plot.bbox[side] / ratio);
    const above = 24, legend = [];
    for (const trace of chart.traces) {
      const wide = 44 + 7 * trace.name.length, last = legend.at(-1);
      const fits = last && last.x + last.wide + wide <= plot.width;
      legend.push({ trace, wide, x: fits ? last.x + last.wide : left, row: fits ? last.row : (last?.row ?? -1) + 1 });
    }
    const whole = [plot.width, plot.height + above + 18 * (legend.at(-1)?.row ?? 0) + 26];
    const root = make("svg", { xmlns: NS, width: whole[0], height: whole[1], viewBox: `0 0 ${whole[0]} ${whole[1]}`, "font-family": "sans-serif", "font-size": 12, fill: css("ink") });
    root.append(make("rect", { width: whole[0], height: whole[1], fill: css("ground") }), make("text", { x: left, y: 16, "font-size": 15 }, chart.title));
    const clip = make("clipPath", { id: "frame" });
    clip.append(make("rect", { x: left, y: top + above, width, height }));
    const place = make("g", { "clip-path": "url(#frame)" });
    const across = (value) => left + plot.valToPos(value, "x"), down = (value) => above + top + plot.valToPos(value, "y");
    const short1 = (value) => Math.round(10 * value) / 10;
    const at = (a, b) => (a === null || b === null || b === undefined ? null : [short1(across(a)), short1(down(b))]);
    for (const [low, high] of chart.spans) place.append(make("rect", { x: across(low), y: top + above, width: across(high) - across(low), height, fill: css("bad"), "fill-opacity": 0.14 }));
    for (const trace of chart.traces) drawTrace(trace, place, (a, b) => { const p = at(a, b); return p && p.every(Number.isFinite) ? p : null; });
    for (const line of chart.lines) {
      const d = line.axis === "x" ? `M${across(line.at)} ${top + above}v${height}` : `M${left} ${down(line.at)}h${width}`;
      place.append(make("path", { d, stroke: css(line.colour), "stroke-dasharray": "2 3", fill: "none" }));
      if (line.name && line.axis === "x" && across(line.at) >= left) root.append(make("text", { x: across(line.at), y: above + top - 4, "text-anchor": "middle" }, line.name));
    }
    root.append(clip, place);
    x._splits?.forEach((value, i) => value !== null && root.append(make("text", { x: across(value), y: above + top + height + 18, "text-anchor": "middle" }, x._values[i] ?? "")));
    y._splits?.forEach((value, i) => value !== null && root.append(make("text", { x: left - 8, y: down(value) + 4, "text-anchor": "end" }, y._values[i] ?? "")));
    root.append(make("text", { x: left + width / 2, y: above + plot.height - 2, "text-anchor": "middle" }, x.label ?? ""), make("text", { x: 4, y: above + top - 6 }, chart.y.label));
    for (const { trace, x: a, row } of legend) {
      const b = above + plot.height + 18 * row + 14;
      root.append(make("rect", { x: a, y: b - 9, width: 14, height: 9, fill: css(trace.colour) }), make("text", { x: a + 20, y: b }, trace.name));
    }
    return [new XMLSerializer().serializeToString(root), whole];
  }
  function png(figure, chart) {
    const [text, [width, height]] = svg(figure, chart), picture = new Image();
    picture.addEventListener("load", () => {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [2 * width, 2 * height];
      canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
      canvas.toBlob((blob) => save(`${chart.key}.png`, blob));
    });
    picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  }

  // ---- the page --------------------------------------------------------------------------------
  const perEpoch = Number(document.body.dataset.perEpoch) || null;
  const epochs = () => perEpoch !== null && document.body.dataset.axis === "epochs";
  function button(text, name, pressed) {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    made.className = name;
    if (pressed !== undefined) made.setAttribute("aria-pressed", String(pressed));
    return made;
  }
  function prepare(figure) {
    if (live.has(figure) || !figure.offsetParent) return;
    const chart = JSON.parse(figure.querySelector("script").textContent);
    const place = document.createElement("div"), tools = document.createElement("div");
    place.className = "live";
    tools.className = "tools";
    const log = button("log scale", "log", false), back = button("whole range", "unzoom");
    const saves = { CSV: () => save(`${chart.key}.csv`, csv(chart), "text/csv"), SVG: () => save(`${chart.key}.svg`, svg(figure, chart)[0], "image/svg+xml"), PNG: () => png(figure, chart) };
    log.addEventListener("click", () => draw(figure, chart, log.getAttribute("aria-pressed") !== "true"));
    back.addEventListener("click", () => unzoom(figure));
    back.hidden = true;
    tools.append(log, back);
    for (const [name, act] of Object.entries(saves)) {
      const made = button(name, `save-${name.toLowerCase()}`);
      made.setAttribute("aria-label", `Download ${chart.title} as ${name}`);
      made.addEventListener("click", act);
      tools.append(made);
    }
    if (chart.steps && perEpoch) {
      const axis = button("epochs", "axis", epochs());
      axis.addEventListener("click", () => {
        document.body.dataset.axis = epochs() ? "steps" : "epochs";
        redraw();
        for (const each of document.querySelectorAll(".axis")) each.setAttribute("aria-pressed", String(epochs()));
      });
      tools.append(axis);
    }
    figure.querySelector(".legend").after(place, tools);
    figure.classList.add("alive");
    draw(figure, chart, null);
    new ResizeObserver(() => {
      const { plot } = live.get(figure);
      if (place.clientWidth && place.clientWidth !== plot.width) plot.setSize({ width: place.clientWidth, height: plot.height });
    }).observe(place);
  }
  function redraw() {
    for (const [figure, { chart, scale }] of live) draw(figure, chart, scale !== "linear");
  }
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) prepare(entry.target);
  }, { rootMargin: "400px" });
  for (const figure of document.querySelectorAll("figure.chart")) seen.observe(figure);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  document.getElementById("paper-colours")?.addEventListener("change", redraw);
  const toTarget = () => {
    const target = document.getElementById(location.hash.slice(1));
    for (let folded = target?.closest("details"); folded; folded = folded.parentElement?.closest("details")) folded.open = true;
    target?.scrollIntoView();
  };
  addEventListener("hashchange", toTarget);
  if (location.hash) toTarget();
  const whole = document.getElementById("report-json");
  if (whole) {
    const report = button("Download report.json", "save-report");
    report.addEventListener("click", () => {
      save("report.json", `${JSON.stringify(JSON.parse(whole.textContent), null, 1)}\n`, "application/json");
    });
    document.getElementById("downloads").append(report);
  }
})();
