// 资金监控: new alarms come in by themselves; a list under a hand or with focus waits until the hand is gone (UI.md 11).
(() => {
  const page = document.getElementById("alarms"), badge = document.getElementById("live");
  if (!page || !window.htmx) return;
  const part = page.querySelector("[data-part]");
  let heard = 0, opened = 0, wanted = false;
  const held = () => part.matches(":hover") || part.contains(document.activeElement);
  part.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target !== part || !held()) return;
    event.detail.shouldSwap = false;
    wanted = true;
  });
  const release = () => { if (wanted && !held()) { wanted = false; window.htmx.trigger(document.body, "refresh"); } };
  part.addEventListener("mouseleave", () => setTimeout(release, 50));
  part.addEventListener("focusout", () => setTimeout(release, 50));
  document.body.addEventListener("htmx:sseOpen", (event) => {
    heard = Date.now();
    const source = event.detail.source;
    ["beat", "alarms"].forEach((name) => source.addEventListener(name, () => { heard = Date.now(); }));
    source.addEventListener("gone", () => { source.close(); location.reload(); });
    if (opened++) window.htmx.trigger(document.body, "refresh");
  });
  setInterval(() => {
    if (!badge || !heard) return;
    const seconds = Math.round((Date.now() - heard) / 1000);
    badge.className = "gh-live" + (seconds > 15 ? " wait" : "");
    badge.lastElementChild.textContent = wanted ? "有新告警，移开鼠标就更新" : seconds > 15 ? `连接中断 ${seconds} 秒，正在重连` : `实时 · ${Math.max(seconds, 1)} 秒前`;
  }, 1000);
})();
