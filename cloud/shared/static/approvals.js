// The approvals page: up/down between cards, `a` approves (the second press does it), `r` opens the sentence; news waits in a pill.
(() => {
  const cards = () => [...document.querySelectorAll("[data-ap]")];
  const at = () => document.activeElement && document.activeElement.closest && document.activeElement.closest("[data-ap]");
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest("input, textarea, select")) return;
    const all = cards();
    if (!all.length) return;
    const here = at();
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      const next = here ? Math.min(Math.max(all.indexOf(here) + step, 0), all.length - 1) : 0;
      all[next].focus();
      all[next].scrollIntoView({ block: "nearest" });
    }
    if (event.key === "a" && here) {
      const yes = here.querySelector("[data-yes]");
      if (!yes) return;
      event.preventDefault();
      if (yes.classList.contains("sure")) { yes.form.requestSubmit(yes); return; }
      yes.dataset.said = yes.textContent;
      yes.textContent = `再按一次 a：${yes.textContent}`;
      yes.classList.add("sure");
    }
    if (event.key === "r" && here) {
      const back = here.querySelector("details.back");
      if (!back) return;
      event.preventDefault();
      back.open = true;
      back.querySelector("textarea").focus();
    }
  });
  document.addEventListener("focusout", (event) => {
    const card = event.target.closest && event.target.closest("[data-ap]");
    if (!card || card.contains(event.relatedTarget)) return;
    card.querySelectorAll(".sure").forEach((yes) => { yes.textContent = yes.dataset.said; yes.classList.remove("sure"); });
  });
  const pill = document.querySelector("[data-news]");
  if (pill && window.EventSource) {
    const stream = new EventSource("/approvals/stream");
    const news = () => { pill.hidden = false; pill.style.display = "inline-flex"; };
    stream.addEventListener("approval", news);
    stream.addEventListener("gap", news);
    stream.addEventListener("gone", () => { stream.close(); location.reload(); });
    pill.addEventListener("click", () => location.assign(location.pathname + location.search.replace(/[?&](done|id)=[^&]*/g, "")));
  }
})();
