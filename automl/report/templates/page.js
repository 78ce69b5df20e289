"use strict";
// Table, tooltip and detail of trials. All text goes in as text nodes, never as HTML.
(() => {
  const records = JSON.parse(document.getElementById("records").textContent);
  const byId = new Map(records.map((record) => [String(record.id), record]));
  const trials = records.filter((record) => record.id !== "baseline");
  const MINUS = "−", ABSENT = "–", FIRST_ROWS = 200;
  const is = (value) => typeof value === "number";

  const percent = (v, digits = 2) => (is(v) ? (v < 0 ? MINUS : v > 0 ? "+" : "") + Math.abs(v).toFixed(digits) + "%" : ABSENT);
  const ratio = (v) => (is(v) ? "×" + v.toFixed(v >= 10 ? 1 : v >= .1 ? 2 : 3) : ABSENT);
  const fixed = (v, digits) => (is(v) ? v.toFixed(digits) : ABSENT);
  const count = (v) => {
    if (!is(v)) return ABSENT;
    const [size, letter] = v >= 1e9 ? [1e9, "G"] : v >= 1e6 ? [1e6, "M"] : v >= 1e3 ? [1e3, "k"] : [1, ""];
    return (v / size).toPrecision(3).replace(/\.0+$/, "") + letter;
  };
  const seconds = (v) => (is(v) && v > 0 ? v.toFixed(v < 10 ? 1 : 0) + " s" : ABSENT);
  const label = (r) => (r.id === "baseline" ? "baseline" : "#" + r.id);

  function node(tag, props = {}, ...children) {
    const made = document.createElement(tag);
    for (const [key, value] of Object.entries(props)) key in made ? (made[key] = value) : made.setAttribute(key, value);
    made.append(...children.filter((child) => child !== null));
    return made;
  }

  // ---- tooltip
  const tip = document.getElementById("tip");
  function headline(r) {
    if (!is(r.gain) || !is(r.ratio)) return r.state;
    return `NE ${percent(r.gain)} at ${ratio(r.ratio)} QPS`;
  }
  window.addEventListener("trialhover", ({ detail }) => {
    const r = byId.get(String(detail.id));
    if (!r) return;
    const standing = r.id === "baseline" ? "the model to beat" : [r.role, r.front ? "on the front" : r.state, "from " + r.origin].filter(Boolean).join(", ");
    tip.replaceChildren(node("b", {}, `${label(r)}  ${headline(r)}`), node("p", { className: "muted" }, standing), node("p", {}, r.words));
    tip.hidden = false;
    const { offsetWidth: w, offsetHeight: h } = tip;
    const left = detail.x + 16 + w > innerWidth - 12 ? detail.x - 16 - w : detail.x + 16;
    const top = detail.y + 16 + h > innerHeight - 12 ? detail.y - 16 - h : detail.y + 16;
    tip.style.left = Math.max(12, Math.min(left, innerWidth - w - 12)) + "px";
    tip.style.top = Math.max(12, top) + "px";
  });
  window.addEventListener("trialleave", () => { tip.hidden = true; });
  window.addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });

  // ---- detail of one trial
  const dialog = document.getElementById("detail");
  function diffBlock(r) {
    const block = node("pre", { className: "diff", tabIndex: 0 });
    for (const line of r.diff) {
      block.append(node("span", { className: { "+": "add", "-": "del" }[line[0]] || "same" }, `${line[0]} ${line.slice(1)}`));
    }
    return block;
  }
  function open(id) {
    const r = byId.get(String(id));
    if (!r) return;
    tip.hidden = true;
    const facts = [
      ["NE", fixed(r.ne, 4), r.state === "stopped" ? "extrapolated" : ""], ["NE gain", percent(r.gain), is(r.forecast) ? `forecast ${percent(r.forecast)}` : ""],
      ...(r.tasks || []).map(([task, ne, gain]) => [`NE of ${task}`, fixed(ne, 4), percent(gain)]),
      ["Trainings", r.trainings > 1 ? String(r.trainings) : ABSENT, is(r.error) ? `NE gain ± ${r.error.toFixed(2)}%` : ""],
      ["QPS", ratio(r.ratio), is(r.low) ? `${ratio(r.low)} to ${ratio(r.high)}` : ""],
      ["AUC", fixed(r.auc, 4), ""], ["Calibration", fixed(r.calibration, 3), ""], ["Train QPS", count(r.trainQps), ""],
      ["Parameters", count(r.params), ""], ["FLOPs a row", count(r.flops), ""], ["Seconds", seconds(r.seconds), ""],
    ].filter(([, value]) => value !== ABSENT);
    const yaml = r.diff.filter((line) => line[0] !== "-").map((line) => line.slice(1)).join("\n") + "\n";
    const close = node("button", { type: "button", className: "close", ariaLabel: "Close" }, "×");
    close.addEventListener("click", () => dialog.close());
    const copy = node("button", { type: "button", className: "copy" }, "Copy the whole model as YAML");
    copy.dataset.copy = yaml;
    const parts = [
      node("header", {}, node("h2", { id: "detail-title" }, r.id === "baseline" ? "Baseline" : `Trial ${label(r)}`), close),
      node("p", { className: "muted" }, [r.role, r.front ? "on the front" : "", r.state, r.round === undefined ? "" : `from ${r.origin}, batch ${r.round}`].filter(Boolean).join(" · ")),
      facts.length ? node("dl", { className: "numbers" }, ...facts.map(([name, value, small]) =>
        node("div", {}, node("dt", {}, name), node("dd", {}, value, small ? node("small", {}, small) : "")))) : null,
      r.reason ? node("pre", { className: "reason", tabIndex: 0 }, `${r.kind}: ${r.reason}`) : null,
      node("p", {}, `${r.words}; ${r.training}.`),
      r.changes.length ? node("ul", { className: "changes" }, ...r.changes.map((change) => node("li", {}, change))) : null,
      diffBlock(r), copy];
    dialog.querySelector(".detail-in").replaceChildren(...parts.filter((part) => part !== null));
    dialog.showModal();
    dialog.scrollTop = 0;
  }
  window.addEventListener("trialopen", ({ detail }) => open(detail.id));
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

  // ---- table
  const COLUMNS = [
    { name: "Trial", key: (r) => r.id, text: (r) => "#" + r.id, num: true },
    { name: "NE gain", key: (r) => r.gain, text: (r) => percent(r.gain) + (is(r.error) ? ` ± ${r.error.toFixed(2)}` : ""), num: true },
    { name: "Trainings", key: (r) => r.trainings, text: (r) => count(r.trainings), num: true, descending: true, hide: true },
    { name: "QPS", key: (r) => r.ratio, text: (r) => ratio(r.ratio), num: true, descending: true },
    { name: "NE", key: (r) => r.ne, text: (r) => fixed(r.ne, 4), num: true, hide: true },
    { name: "State", key: (r) => stateText(r), text: (r) => stateText(r) },
    { name: "From", key: (r) => r.origin, text: (r) => r.origin, hide: true },
    { name: "Parameters", key: (r) => r.params, text: (r) => count(r.params), num: true, hide: true },
    { name: "Seconds", key: (r) => r.seconds, text: (r) => seconds(r.seconds), num: true, hide: true },
    { name: "Model", key: (r) => whatText(r), text: (r) => whatText(r), className: "what" },
  ];
  function stateText(r) { return r.role || (r.front ? "front" : r.state === "failed" && r.kind ? r.kind : r.state); }
  function whatText(r) { return r.state === "failed" && r.reason ? r.reason.split("\n")[0].slice(0, 240) : r.words; }
  const searched = new Map(trials.map((r) => [r.id,
    ["#" + r.id, r.state, r.role, r.front ? "front" : "", r.origin, r.kind, r.reason, r.words, r.training].join(" ").toLowerCase()]));
  const [body, headRow] = [document.querySelector("#table tbody"), document.querySelector("#table thead tr")];
  const controls = Object.fromEntries(["find", "state", "origin", "only-front", "shown", "more"].map((id) => [id, document.getElementById(id)]));
  const sort = { column: COLUMNS[1], descending: false };
  let limit = FIRST_ROWS;

  function compare(a, b) {
    const [x, y] = [sort.column.key(a), sort.column.key(b)];
    const [noX, noY] = [x, y].map((v) => v === null || v === undefined);
    if (noX || noY) return noX - noY || a.id - b.id; // what is absent comes last either way
    const order = is(x) && is(y) ? x - y : String(x).localeCompare(String(y));
    return (sort.descending ? -order : order) || a.id - b.id;
  }
  function row(r) {
    const line = node("tr", { className: r.role ? "pick" : r.front ? "front" : "" });
    for (const column of COLUMNS) {
      const cell = node("td", { className: [column.num ? "num" : "", column.hide ? "hide-narrow" : "", column.className || ""].join(" ").trim() });
      if (column.name === "Trial") cell.append(node("button", { type: "button", className: "link" }, column.text(r)));
      else if (column.name === "State") cell.append(node("span", { className: `tag ${r.role ? "picked" : r.state}` }, column.text(r)));
      else cell.append(column.text(r));
      line.append(cell);
    }
    line.addEventListener("click", () => open(r.id));
    return line;
  }
  function refresh() {
    const words = controls.find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const kept = trials.filter((r) => (!controls.state.value || r.state === controls.state.value) &&
      (!controls.origin.value || r.origin === controls.origin.value) && (!controls["only-front"].checked || r.front) &&
      words.every((word) => searched.get(r.id).includes(word))).sort(compare);
    const none = node("td", { className: "none", colSpan: COLUMNS.length }, trials.length ? "No trial fits these filters." : "No trial yet.");
    body.replaceChildren(...(kept.length ? kept.slice(0, limit).map(row) : [node("tr", {}, none)]));
    controls.shown.textContent = `${kept.length} of ${trials.length} trials`;
    controls.more.hidden = kept.length <= limit;
    controls.more.textContent = `Show all ${kept.length}`;
    [...headRow.children].forEach((cell, i) => cell.setAttribute("aria-sort",
      COLUMNS[i] !== sort.column ? "none" : sort.descending ? "descending" : "ascending"));
  }
  for (const column of COLUMNS) {
    const button = node("button", { type: "button" }, column.name);
    button.addEventListener("click", () => {
      sort.descending = sort.column === column ? !sort.descending : Boolean(column.descending);
      sort.column = column;
      refresh();
    });
    headRow.append(node("th", { scope: "col", className: [column.num ? "num" : "", column.hide ? "hide-narrow" : ""].join(" ").trim() }, button));
  }
  for (const [id, key] of [["state", "state"], ["origin", "origin"]]) {
    for (const value of [...new Set(trials.map((r) => r[key]))].sort()) controls[id].append(node("option", { value }, value));
  }
  for (const id of ["find", "state", "origin", "only-front"]) controls[id].addEventListener("input", refresh);
  controls.more.addEventListener("click", () => { limit = Infinity; refresh(); });
  refresh();

  document.addEventListener("click", (event) => {
    const link = event.target.closest(".link[data-trial]");
    if (link) open(link.dataset.trial);
  });
})();
