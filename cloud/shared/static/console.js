// Every console page: "/" goes to the search, details close on Escape or a click elsewhere, forms are sent once.
document.documentElement.classList.add("js");
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest && event.target.closest("input, select, textarea");
  if (event.key === "/" && !typing) {
    const find = document.querySelector("[data-find]");
    if (find) { event.preventDefault(); find.focus(); find.select(); }
  }
  if (event.key === "Escape") document.querySelectorAll("details.scope[open]").forEach((one) => one.removeAttribute("open"));
});
document.addEventListener("click", (event) => {
  document.querySelectorAll("details.scope[open]").forEach((one) => { if (!one.contains(event.target)) one.removeAttribute("open"); });
});
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) { event.preventDefault(); return; }
  if (form.hasAttribute("data-once")) {
    form.dataset.sent = "1";
    form.querySelectorAll("button[type=submit], button:not([type])").forEach((one) => one.setAttribute("aria-disabled", "true"));
  }
});
window.addEventListener("pageshow", (event) => {
  if (event.persisted) document.querySelectorAll("form[data-sent]").forEach((one) => delete one.dataset.sent);
});
