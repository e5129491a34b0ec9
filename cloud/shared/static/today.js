// The live page: figures change in place and flash; a list under a hand waits until the hand is gone (UI.md 11).
(() => {
  const page = document.getElementById("today");
  const badge = document.getElementById("live");
  if (!page || !window.htmx) return;
  const hovers = window.matchMedia("(hover: hover)").matches;
  let heard = 0, opened = 0, offset = null;

  const held = (part) => part.hasAttribute("data-hold") && ((hovers && part.matches(":hover")) || part.contains(document.activeElement));
  const keys = (root, name) => [...root.querySelectorAll(`[${name}]`)].map((one) => one.getAttribute(name));
  const same = (a, b) => a.length === b.length && a.every((one, index) => one === b[index]);

  // What only changed its figures is patched where it stands: nothing moves, focus stays.
  function patch(part, html) {
    const fresh = document.createElement("div");
    fresh.innerHTML = html;
    const names = keys(part, "data-k");
    if (!names.length || !same(names, keys(fresh, "data-k"))) return false;
    names.forEach((name) => {
      const now = part.querySelector(`[data-k="${name}"]`), then = fresh.querySelector(`[data-k="${name}"]`);
      if (now.innerHTML === then.innerHTML && now.className.replace(" flash", "") === then.className) return;
      if (now.tagName === "A") now.setAttribute("href", then.getAttribute("href"));
      now.innerHTML = then.innerHTML;
      now.classList.remove("flash");
      void now.offsetWidth;
      now.classList.add("flash");
    });
    return true;
  }

  page.addEventListener("htmx:beforeSwap", (event) => {
    const part = event.detail.target;
    if (!part.hasAttribute("data-part") || event.detail.xhr.status !== 200) return;
    if (patch(part, event.detail.xhr.response)) { event.detail.shouldSwap = false; return; }
    if (held(part)) { event.detail.shouldSwap = false; part.classList.add("waiting"); return; }
    part.before_rows = new Set(keys(part, "data-row"));
  });
  page.addEventListener("htmx:afterSwap", (event) => {
    const part = event.detail.target;
    part.classList.remove("waiting");
    if (part.before_rows) part.querySelectorAll("[data-row]").forEach((one) => {
      if (!part.before_rows.has(one.getAttribute("data-row"))) one.classList.add("flash");
    });
    draw(part);
  });
  const release = (part) => { if (part && part.classList.contains("waiting") && !held(part)) window.htmx.trigger(part, "gh:refresh"); };
  page.querySelectorAll("[data-hold]").forEach((part) => {
    part.addEventListener("mouseleave", () => setTimeout(() => release(part), 50));
    part.addEventListener("focusout", () => setTimeout(() => release(part), 50));
  });
  page.addEventListener("click", (event) => {
    const pill = event.target.closest("[data-refresh]");
    if (!pill) return;
    const part = pill.closest("[data-part]");
    pill.blur();
    part.removeAttribute("data-hold");
    window.htmx.trigger(part, "gh:refresh");
    setTimeout(() => part.setAttribute("data-hold", ""), 1000);
  });

  // The stream: a beat at least every 10 s; silent for 15 s is "reconnecting"; after a gap everything is asked for again.
  document.body.addEventListener("htmx:sseOpen", (event) => {
    heard = Date.now();
    const source = event.detail.source;
    source.addEventListener("beat", (message) => { heard = Date.now(); offset = Date.parse(message.data) - Date.now(); });
    source.addEventListener("gone", () => { source.close(); location.reload(); });
    ["flow", "receipts", "lanes", "passages", "boxes", "readings"].forEach((name) =>
      source.addEventListener(name, () => { heard = Date.now(); }));
    if (opened++) window.htmx.trigger(document.body, "refresh");
  });
  const clock = document.getElementById("clock");
  setInterval(() => {
    if (badge && heard) {
      const seconds = Math.round((Date.now() - heard) / 1000);
      badge.className = "gh-live" + (seconds > 15 ? " wait" : "");
      badge.lastElementChild.textContent = seconds > 15 ? `连接中断 ${seconds} 秒，正在重连` : `实时 · ${Math.max(seconds, 1)} 秒前`;
    }
    if (clock && offset !== null && heard)
      clock.textContent = new Date(Date.now() + offset + 8 * 3600e3).toISOString().slice(11, 19);
  }, 1000);

  const font = { fontFamily: '"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif', color: "#5f6b78", fontSize: 12 };
  const yuan = (fen) => (fen / 100).toLocaleString("zh-CN", { minimumFractionDigits: 2 });
  function draw(root) {
    const place = root.querySelector && root.querySelector("[data-curve]");
    if (!place || !window.echarts) return;
    const { today, then } = JSON.parse(place.dataset.curve);
    const first = Math.max(0, [...Array(24).keys()].find((hour) => (today[hour] || 0) + (then[hour] || 0) > 0) - 1 || 0);
    const points = (sums) => sums.slice(first).map((fen) => fen / 100);
    const last = today.length - 1;
    place.textContent = "";
    const chart = window.echarts.init(place, null, { renderer: "svg" });
    const series = [{ name: "今天", type: "line", data: points(today), symbol: "none", lineStyle: { width: 3, color: "#0f5b78" },
      itemStyle: { color: "#0f5b78" }, areaStyle: { color: "rgba(15,91,120,.10)" },
      markPoint: { symbol: "circle", symbolSize: 9, data: [{ coord: [last - first, today[last] / 100] }], itemStyle: { color: "#0f5b78" },
        label: { show: true, formatter: yuan(today[last]), position: last > 18 ? "left" : "right", fontWeight: 700, color: "#0b475e", fontSize: 13 } } }];
    if (then.length) series.push({ name: place.dataset.then, type: "line", data: points(then), symbol: "none",
      lineStyle: { width: 1.6, type: "dashed", color: "#9aa7b2" }, itemStyle: { color: "#9aa7b2" } });
    chart.setOption({ animation: false, textStyle: font, grid: { left: 8, right: 18, top: 34, bottom: 8, containLabel: true },
      legend: { right: 14, top: 4, itemWidth: 16, itemHeight: 8, textStyle: font },
      tooltip: { trigger: "axis", valueFormatter: (value) => value === undefined ? "–" : yuan(value * 100) },
      xAxis: { type: "category", data: [...Array(24 - first).keys()].map((hour) => `${hour + first + 1}时`), boundaryGap: false,
        axisLine: { lineStyle: { color: "#c3ccd5" } }, axisTick: { show: false }, axisLabel: font },
      yAxis: { type: "value", splitNumber: 3, axisLabel: font, splitLine: { lineStyle: { color: "#eef1f4" } } }, series });
    new ResizeObserver(() => chart.resize()).observe(place);
  }
  draw(document);
})();
