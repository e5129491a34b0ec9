// Fields that are asked only when another says so: data-when="price_per=year", "min_fen|max_fen=*" (anything), "weight=area|floor_area".
(() => {
  "use strict";
  const parts = [...document.querySelectorAll("[data-when]")];
  if (!parts.length) return;
  const form = parts[0].closest("form");
  const value = (name) => { const found = form.elements[name]; return found ? (found.value || "").trim() : ""; };
  const show = () => parts.forEach((part) => {
    const [names, wanted] = part.dataset.when.split("=");
    const values = names.split("|").map(value);
    part.hidden = !(wanted === "*" ? values.some(Boolean) : values.some((one) => wanted.split("|").includes(one)));
  });
  form.addEventListener("input", show);
  form.addEventListener("change", show);
  show();
})();
