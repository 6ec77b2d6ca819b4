// Keys for the page of an exhibit. Each belongs to the element that names it in data-key; the page works without them.
"use strict";

document.addEventListener("keydown", (event) => {
  const active = document.activeElement;
  const writing = active && (["TEXTAREA", "SELECT"].includes(active.tagName) || active.matches("input:not([type=checkbox])"));
  if (writing) {
    if (event.key === "Escape") active.blur();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
  const target = document.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  if (!target) return;
  event.preventDefault();
  // Nobody decides without a name: the key leads to where it is asked for.
  if (target.disabled) return document.getElementById("reviewer")?.focus();
  if (["TEXTAREA", "SELECT"].includes(target.tagName)) target.focus();
  else target.click();
});

// A second press while the first is on its way would decide about nothing that was looked at.
document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "1";
});
window.addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});
