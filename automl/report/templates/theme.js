"use strict";
// Before the first paint: the reader's last choice, else the system's. Kept in the page only where storage is refused.
(() => {
  const root = document.documentElement;
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const stored = () => { try { return localStorage.getItem("report-theme"); } catch { return null; } };
  const show = (theme) => {
    root.dataset.theme = theme;
    window.dispatchEvent(new CustomEvent("themechange", { detail: theme }));
  };
  show(stored() || (system.matches ? "dark" : "light"));
  system.addEventListener("change", () => { if (!stored()) show(system.matches ? "dark" : "light"); });
  window.toggleTheme = () => {
    const theme = root.dataset.theme === "dark" ? "light" : "dark";
    try { localStorage.setItem("report-theme", theme); } catch { /* private window */ }
    show(theme);
  };
})();
