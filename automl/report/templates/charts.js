"use strict";
// Draws the figures. Colours arrive as names ("$front") and take the theme's value; a change of theme lays out anew.
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const NARROW = 560;
  const COLOUR_KEY = /colou?r$|^family$/i;
  const state = { axis: "trials", view: {} };
  const boxes = new Map();
  for (const box of document.querySelectorAll("[data-figure]")) boxes.set(box.dataset.figure, box);

  function themed(value, key, style) {
    if (Array.isArray(value)) return value.map((item) => themed(item, key, style));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, themed(v, k, style)]));
    }
    const named = typeof value === "string" && value[0] === "$" && COLOUR_KEY.test(key);
    return named ? style.getPropertyValue("--" + value.slice(1)).trim() : value;
  }

  function merged(base, over) {
    const out = { ...base };
    for (const [key, value] of Object.entries(over || {})) {
      const both = value && out[key] && [value, out[key]].every((v) => typeof v === "object" && !Array.isArray(v));
      out[key] = both ? merged(out[key], value) : value;
    }
    return out;
  }

  function baseLayout(figure, narrow) {
    const size = narrow ? 11 : 12;
    const axis = {
      gridcolor: "$line", linecolor: "$line", zerolinecolor: "$line", tickcolor: "$line", automargin: true, fixedrange: narrow,
      tickfont: { size, color: "$muted" }, title: { font: { size: size + .5, color: "$muted" }, standoff: 10 },
    };
    return {
      autosize: true, height: figure.height, showlegend: false, dragmode: narrow ? false : "zoom",
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { family: "$sans", size, color: "$muted" },
      margin: { l: narrow ? 44 : 58, r: narrow ? 10 : 18, t: 10, b: 44 }, xaxis: axis, yaxis: axis,
      hoverlabel: { bgcolor: "$surface", bordercolor: "$muted", font: { color: "$ink", size: 12.5, family: "$sans" }, align: "left" },
    };
  }

  function built(figure, width) {
    const style = getComputedStyle(document.documentElement);
    const narrow = width < NARROW;
    let layout = merged(baseLayout(figure, narrow), figure.layout);
    const views = Object.keys(figure.views);
    if (views.length) layout = merged(layout, figure.views[state.view[figure.name] || views[0]]);
    let data = figure.data;
    const axis = figure.axes[state.axis];
    if (axis) {
      layout = merged(layout, { xaxis: { title: { text: axis.title } } });
      data = data.map((trace, i) => ({ ...trace, x: axis.x[i] }));
    }
    return { data: themed(data, "", style), layout: themed(layout, "", style) };
  }

  function draw(figure) {
    const box = boxes.get(figure.name);
    if (!box || box.closest("[hidden]")) return; // drawn when it is shown: a hidden box has no width
    const { data, layout } = built(figure, box.clientWidth);
    const fresh = !box.classList.contains("js-plotly-plot");
    Plotly.react(box, data, layout, { displayModeBar: false, responsive: true, doubleClick: "reset" });
    if (fresh) listen(box, figure);
  }

  function listen(box, figure) {
    const trialOf = (event) => event.points.map((point) => point.customdata).find((id) => id !== undefined && id !== null);
    box.on("plotly_hover", (event) => {
      const id = trialOf(event);
      if (id === undefined) return;
      window.dispatchEvent(new CustomEvent("trialhover", { detail: { id, x: event.event.clientX, y: event.event.clientY } }));
      if (figure.name === "parallel") emphasise(box, id);
    });
    box.on("plotly_unhover", () => {
      window.dispatchEvent(new CustomEvent("trialleave"));
      if (figure.name === "parallel") emphasise(box, null);
    });
    box.on("plotly_click", (event) => {
      const id = trialOf(event);
      if (id !== undefined) window.dispatchEvent(new CustomEvent("trialopen", { detail: { id } }));
    });
  }

  function emphasise(box, id) {
    Plotly.restyle(box, { opacity: box.data.map((trace) => (id === null || trace.name === String(id) ? 1 : .15)) });
  }

  function viewSwitch(figure) {
    const views = Object.keys(figure.views);
    if (views.length < 2) return;
    const group = document.createElement("div");
    group.className = "switch";
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", "Range of the chart");
    for (const name of views) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = name;
      button.setAttribute("aria-pressed", String(name === views[0]));
      button.addEventListener("click", () => {
        state.view[figure.name] = name;
        press(group, button);
        draw(figure);
      });
      group.append(button);
    }
    boxes.get(figure.name).before(group);
  }

  function press(group, pressed) {
    for (const button of group.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button === pressed));
  }

  function axisSwitch(group) {
    const known = new Set(figures.flatMap((figure) => Object.keys(figure.axes)));
    for (const button of group.querySelectorAll("button")) {
      button.hidden = !known.has(button.dataset.axis);
      button.addEventListener("click", () => {
        state.axis = button.dataset.axis;
        press(group, button);
        figures.filter((figure) => Object.keys(figure.axes).length).forEach(draw);
      });
    }
    group.hidden = known.size < 2;
  }

  // Of panels only the chosen one is shown.
  function panelSwitch(group) {
    for (const button of group.querySelectorAll("button")) {
      button.addEventListener("click", () => {
        press(group, button);
        for (const panel of document.querySelectorAll("[data-panel]")) panel.hidden = panel.dataset.panel !== button.dataset.shows;
        figures.filter((figure) => boxes.get(figure.name)?.closest("[data-panel]")).forEach(draw);
      });
    }
  }

  // One figure a task, the first at once: the page stays responsive while the rest are drawn.
  function drawAll() {
    figures.reduce((before, figure) => before.then(() => { draw(figure); return new Promise((done) => setTimeout(done)); }),
      Promise.resolve()).then(() => { document.documentElement.dataset.drawn = "yes"; });
  }
  figures.forEach(viewSwitch);
  for (const [id, made] of [["axis", axisSwitch], ["panels", panelSwitch]]) {
    const group = document.getElementById(id);
    if (group) made(group);
  }
  drawAll();
  window.addEventListener("themechange", drawAll);
  let wasNarrow = window.innerWidth < 760;
  window.addEventListener("resize", () => {
    const narrow = window.innerWidth < 760;
    if (narrow !== wasNarrow) { wasNarrow = narrow; drawAll(); }
  });
})();
