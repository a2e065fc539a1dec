"use strict";
// The walk through the run's graph: the neighbourhood of what is chosen, layer by layer.
(() => {
  const place = document.getElementById("walk");
  if (!place) return;
  const graph = JSON.parse(document.getElementById("graph-json").textContent);
  const MOST = 9; // nodes of a layer before the others are folded
  const NS = "http://www.w3.org/2000/svg";
  const around = graph.nodes.map(() => []);
  graph.edges.forEach(([a, b], k) => { around[a].push(k); around[b].push(k); });
  const history = [];
  let chosen = null, unfolded = new Set();

  function make(name, attributes, text) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes ?? {})) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }
  const other = (k, node) => (graph.edges[k][0] === node ? graph.edges[k][1] : graph.edges[k][0]);
  const percent = (p) => `${Math.round(100 * p)} %`;
  const weighted = (kind) => ["means", "resembles", "shows"].includes(kind);
  function relation(k, node) {
    const [a, , kind] = graph.edges[k];
    return graph.words[kind][a === node ? 0 : 1];
  }
  // links that were weighed come first, then calls and data, then what contains what
  const rank = (k) => ({ means: 0, resembles: 0, shows: 1, names: 2, calls: 3, data: 4 })[graph.edges[k][2]] ?? 5;
  const ordered = (node) => [...around[node]].sort((a, b) => rank(a) - rank(b) || graph.edges[b][3] - graph.edges[a][3] || a - b);

  function shown() {
    const found = new Set(chosen === null ? graph.start : [chosen]);
    if (chosen !== null) for (const k of ordered(chosen)) found.add(other(k, chosen));
    else for (const node of graph.start) for (const k of ordered(node)) if (rank(k) < 3) found.add(other(k, node));
    return found;
  }
  function button(node) {
    const [, kind, label, at] = graph.nodes[node];
    const made = make("button", { type: "button", class: `node k-${kind}`, "data-node": node, title: at });
    made.append(make("span", { class: "kind" }, kind), make("span", { class: "label" }, label));
    if (node === chosen) made.setAttribute("aria-current", "true");
    made.addEventListener("click", () => go(node));
    return made;
  }
  function columns(nodes) {
    const stage = make("div", { class: "layers" });
    stage.append(document.createElementNS(NS, "svg"));
    graph.layers.forEach((name, layer) => {
      const its = [...nodes].filter((n) => graph.nodes[n][0] === layer);
      if (!its.length) return;
      const column = make("div", { class: "layer", role: "group", "aria-label": name });
      column.append(make("p", { class: "layer-name" }, name));
      const most = unfolded.has(layer) ? its.length : MOST;
      for (const node of its.slice(0, most)) column.append(button(node));
      if (its.length > most) {
        const more = make("button", { type: "button", class: "more" }, `${its.length - most} more`);
        more.setAttribute("aria-label", `Show ${its.length - most} more in ${name}`);
        more.addEventListener("click", () => {
          unfolded.add(layer);
          draw();
          place.querySelectorAll(`[role=group][aria-label="${name}"] .node`)[most].focus();
        });
        column.append(more);
      }
      stage.append(column);
    });
    return stage;
  }
  function connect(stage) {
    const svg = stage.querySelector("svg"), frame = stage.getBoundingClientRect();
    svg.replaceChildren();
    svg.setAttribute("aria-hidden", "true");
    svg.setAttribute("width", stage.clientWidth);
    svg.setAttribute("height", stage.clientHeight);
    const boxes = new Map();
    for (const each of stage.querySelectorAll(".node")) boxes.set(Number(each.dataset.node), each.getBoundingClientRect());
    for (const [a, b, kind, weight] of graph.edges) {
      if (!boxes.has(a) || !boxes.has(b) || (chosen !== null && a !== chosen && b !== chosen && !weighted(kind))) continue;
      let [p, q] = [boxes.get(a), boxes.get(b)];
      if (p.left > q.left) [p, q] = [q, p];
      const within = p.left === q.left;
      const x1 = (within ? p.left : p.right) - frame.left, x2 = q.left - frame.left;
      const y1 = p.top + p.height / 2 - frame.top, y2 = q.top + q.height / 2 - frame.top;
      const bend = within ? -14 : (x2 - x1) / 2;
      const path = document.createElementNS(NS, "path");
      path.setAttribute("d", `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - (within ? 14 : bend)} ${y2} ${x2} ${y2}`);
      path.setAttribute("class", `edge e-${kind}`);
      path.setAttribute("stroke-width", weighted(kind) ? 1 + 2 * weight : 1);
      svg.append(path);
    }
  }
  function told() {
    const panel = make("div", { class: "told", "aria-live": "polite" });
    if (chosen === null) {
      panel.append(make("p", { class: "dim" }, "The losses and what they are linked to. Choose a node: its excerpt and its links stand here."));
      return panel;
    }
    const [, kind, label, at, text] = graph.nodes[chosen];
    panel.append(make("h3", {}, `${kind}: ${label}`));
    if (at) panel.append(make("p", { class: "dim" }, at));
    if (text) { const block = make("pre", { tabindex: "0", role: "region", "aria-label": `Excerpt of ${label}` }); block.append(make("code", {}, text)); panel.append(block); }
    const list = make("ul", { class: "links" });
    const links = ordered(chosen);
    for (const k of links.slice(0, 60)) {
      const [, , how, weight, evidence] = graph.edges[k], target = other(k, chosen), row = make("li");
      row.append(`${relation(k, chosen)} `);
      const to = make("button", { type: "button", class: "to" }, `${graph.nodes[target][1]} ${graph.nodes[target][2]}`);
      to.addEventListener("click", () => go(target, true));
      row.append(to);
      if (how === "means" || how === "resembles") row.append(` with probability ${percent(weight)}`);
      if (evidence.length) row.append(make("span", { class: "dim" }, ` by ${evidence.join("; ")}`));
      list.append(row);
    }
    for (const [node, called, line] of graph.unresolved) if (node === chosen) list.append(make("li", { class: "dim" }, `calls ${called} in line ${line}: not resolved`));
    panel.append(list);
    if (links.length > 60) panel.append(make("p", { class: "dim" }, `and ${links.length - 60} more`));
    return panel;
  }
  function tools() {
    const bar = make("div", { class: "tools" });
    const back = make("button", { type: "button", class: "back" }, "back");
    back.disabled = !history.length;
    back.addEventListener("click", () => { chosen = history.pop(); unfolded = new Set(); draw(); (place.querySelector("[aria-current]") ?? place.querySelector("select")).focus(); });
    const start = make("button", { type: "button", class: "losses" }, "the losses");
    start.addEventListener("click", () => go(null));
    const label = make("label", {}, "go to "), choice = make("select", { class: "goto" });
    choice.append(make("option", { value: "" }, "choose a node"));
    graph.layers.forEach((name, layer) => {
      const group = make("optgroup", { label: name });
      graph.nodes.forEach((node, k) => {
        if (node[0] === layer && around[k].length && group.childElementCount < 200) group.append(make("option", { value: k }, `${node[1]} ${node[2]}`));
      });
      if (group.childElementCount) choice.append(group);
    });
    choice.addEventListener("change", () => { if (choice.value) go(Number(choice.value)); });
    label.append(choice);
    bar.append(back, start, label);
    return bar;
  }
  function go(node, scroll) {
    if (node === chosen) return;
    history.push(chosen);
    chosen = node;
    unfolded = new Set();
    draw();
    const focused = place.querySelector("[aria-current]") ?? place.querySelector(".losses");
    focused.focus({ preventScroll: !scroll });
  }
  function draw() {
    const stage = columns(shown()), frame = make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Picture of the graph" });
    frame.append(stage);
    place.replaceChildren(tools(), frame, told());
    connect(stage);
    place.classList.add("alive");
  }
  const seen = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    seen.disconnect();
    draw();
    new ResizeObserver(() => { const stage = place.querySelector(".layers"); if (stage) connect(stage); }).observe(place);
  }, { rootMargin: "400px" });
  seen.observe(place);
})();
