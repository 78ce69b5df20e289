"use strict";
// What every page can do: the theme's button, copying.
(() => {
  document.getElementById("theme").addEventListener("click", window.toggleTheme);
  document.addEventListener("click", async (event) => {
    const button = event.target.closest(".copy");
    if (!button) return;
    const text = button.dataset.copy || button.parentElement.querySelector("code").textContent;
    const before = button.textContent;
    try { await navigator.clipboard.writeText(text); button.textContent = "Copied"; } catch { button.textContent = "Copying was refused"; }
    setTimeout(() => { button.textContent = before; }, 1600);
  });
})();
