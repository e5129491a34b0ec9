// The counter by the numeric keypad (UI.md 14): find, tick, pay, collect. Everything also works with the mouse and without this.
(() => {
  const find = document.getElementById("q"), list = document.getElementById("list"), pay = document.getElementById("pay");
  const boxes = list ? [...list.querySelectorAll("input[type=checkbox]")] : [];
  const ways = pay ? [...pay.querySelectorAll("input[name=way]")] : [];
  let current = boxes.find((one) => one.checked) || boxes[0];

  function mark() {
    boxes.forEach((one) => one.closest("tr").classList.toggle("sel", one.checked));
    const way = (ways.find((one) => one.checked) || {}).value;
    ways.forEach((one) => one.closest(".way").classList.toggle("on", one.checked));
    if (pay) pay.querySelectorAll("[data-for]").forEach((part) => part.classList.toggle("off", !part.dataset.for.split(" ").includes(way)));
  }
  const changed = (one) => one.dispatchEvent(new Event("change", { bubbles: true }));
  function tick(one, on) { current = one; one.checked = on === undefined ? !one.checked : on; changed(one); }
  const shown = (name) => pay && [...pay.querySelectorAll(`[name=${name}]`)].find((one) => one.offsetParent !== null);
  const ours = (field) => pay && field.form === pay;
  function toPay() { const field = (shown("reason") && !shown("reason").value && shown("reason")) || shown("other_amount") || shown("tendered") || shown("reference"); if (field) { field.focus(); field.select(); } }
  // One period more is paid ahead of what can be (+); the server says what it costs.
  function periods(part, by) {
    // The field stands outside the part that the server's answer replaces, so that quick presses are all counted.
    const field = part && pay && pay.elements[`ahead_${part.dataset.ahead}`];
    if (!field) return;
    field.value = by === 0 ? 0 : Math.min(60, Number(field.value) + by);
    window.htmx.trigger(pay, "gh:sums");
  }
  document.addEventListener("click", (event) => {
    const more = event.target.closest("[data-more]"), none = event.target.closest("[data-none]");
    if (more || none) { periods(event.target.closest("[data-ahead]"), more ? 1 : 0); if (list) list.focus(); }
  });
  // What the keypad has no key for: letters, from the list. A part is opened and its first field takes the focus.
  function open(id) {
    const part = document.getElementById(id);
    if (!part) return false;
    part.open = true;
    const field = part.querySelector("input, select");
    if (field) { field.focus(); field.select && field.select(); }
    return true;
  }
  function parts() {
    const table = list && list.querySelector("table"), button = document.querySelector("[data-parts]");
    if (!table) return false;
    const on = table.classList.toggle("parts");
    button.setAttribute("aria-expanded", on);
    if (on) { const field = current && current.closest("tr").querySelector("[data-part]"); if (field) field.focus(); }
    else { table.querySelectorAll("[data-part]").forEach((one) => { one.value = ""; }); window.htmx.trigger(pay, "gh:sums"); list.focus(); }
    return true;
  }
  document.addEventListener("click", (event) => { if (event.target.closest("[data-parts]")) parts(); });
  if (list) list.addEventListener("input", (event) => {
    const box = event.target.matches("[data-part]") && event.target.value && event.target.closest("tr").querySelector("input[type=checkbox]");
    if (box && !box.checked) { box.checked = true; mark(); }
  });
  const LETTERS = { c: () => open("ups"), y: () => open("deposit"), d: () => open("also"), f: parts, b: () => { const link = document.getElementById("tolate"); if (link) link.click(); return link; } };
  function nextWay() {
    const at = ways.findIndex((one) => one.checked);
    ways[(at + 1) % ways.length].checked = true;
    changed(ways[(at + 1) % ways.length]);
    toPay();
  }
  document.addEventListener("change", mark);
  // An empty field means exactly what is due: it shows the sum as it is now.
  document.body.addEventListener("htmx:afterSettle", () => {
    const due = document.querySelector("#due .v"), cash = document.getElementById("tendered");
    if (due && cash) cash.placeholder = due.textContent.replace("¥", "").trim();
  });
  mark();

  // A scanner types faster than anybody: what it read is looked for, wherever the focus is (C-21). A reference may be scanned too.
  let burst = "", last = 0;
  document.addEventListener("keydown", (event) => {
    const at = event.timeStamp, slow = at - last > 60;
    last = at;
    if (event.key.length === 1) burst = slow ? event.key : burst + event.key;
    else if (event.key === "Enter" && !slow && burst.length >= 8 && /^(CF|https?:|[a-z]{1,6}-)/i.test(burst) && event.target !== find && event.target.id !== "reference") {
      event.preventDefault();
      event.stopImmediatePropagation();
      location.href = `/desk?q=${encodeURIComponent(burst)}`;
    } else if (event.key !== "Shift") burst = "";
  }, true);

  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.ctrlKey || event.altKey || event.metaKey) return;
    const field = event.target.closest("input:not([type=checkbox]):not([type=radio]), select, textarea");
    const key = event.key === "−" ? "-" : event.key;
    if (key === "Escape") {
      if (field && field !== find && list) list.focus();
      else if (find) { find.focus(); find.select(); }
      event.preventDefault();
    } else if (key === "*" && ways.length && field !== find) {
      event.preventDefault();
      nextWay();
    } else if (key === "Enter" && field && field !== find && ours(field) && !pay.contains(field)) {
      event.preventDefault();
      toPay();
    } else if (key === "Enter" && field && field !== find && ours(field)) {
      event.preventDefault();
      const wanted = shown("reference");
      if (wanted && field !== wanted && !wanted.value) wanted.focus();
      else pay.requestSubmit();
    } else if (!field && !event.target.closest("a, button, summary")) {
      onList(event, key);
    } else if (!field && /^[1-9]$/.test(key)) {
      const hit = document.querySelector(`[data-hit="${key}"]`);
      if (hit) { event.preventDefault(); hit.click(); }
    }
  });
  function onList(event, key) {
    if (/^[1-9]$/.test(key) && boxes[key - 1]) tick(boxes[key - 1]);
    else if (key === "0" && boxes.length) { const on = !boxes.every((one) => one.checked); boxes.forEach((one) => tick(one, on)); }
    else if ((key === "=" || key === ".") && current) { const text = current.closest("tr").querySelector("details"); text.open = !text.open; }
    else if (key === "+" && pay) periods(document.querySelector("[data-ahead]"), 1);
    else if (key === "-" && current) location.href = `/charges/lines/${current.value}`;
    else if (key === "Enter" && pay) toPay();
    else if (pay && LETTERS[key.toLowerCase()] && LETTERS[key.toLowerCase()]()) ;
    else return;
    event.preventDefault();
  }

  // What was typed outlives an expired session: it waits in this tab until its receipt is made.
  const KEPT = "gh-desk", FIELDS = ["way", "tendered", "reference", "other", "other_amount", "payer", "part", "reason", "round", "keep"];
  const more = () => [...pay.elements].map((one) => one.name).filter((name) => FIELDS.includes(name) || /^(part|up|deposit|ahead)_/.test(name));
  const kept = JSON.parse(sessionStorage.getItem(KEPT) || "null");
  if (document.querySelector(".done, [data-sent]")) sessionStorage.removeItem(KEPT);
  else if (kept && pay && pay.elements.room.value === kept.room && ((pay.elements.day || {}).value || "") === (kept.late || "")) {
    boxes.forEach((one) => { one.checked = kept.line.includes(one.value); });
    more().forEach((name) => {
      const one = pay.elements[name];
      if (kept[name] === undefined) return;
      if (one.type === "checkbox") one.checked = Boolean(kept[name]); else one.value = kept[name];
      const part = kept[name] && one.tagName === "INPUT" && one.closest("details");
      if (part) part.open = true;
      if (kept[name] && one.matches && one.matches("[data-part]")) list.querySelector("table").classList.add("parts");
    });
    pay.elements.key.value = kept.key;
    mark();
    // htmx listens from DOMContentLoaded on, and this script is run before.
    document.addEventListener("DOMContentLoaded", () => window.htmx.trigger(pay, "gh:sums"));
  } else if (kept && !list) {
    const again = document.createElement("a");
    again.className = "note wait";
    again.href = kept.late ? `/desk/late?room=${kept.room}&day=${kept.late}` : `/desk?room=${kept.room}`;
    again.textContent = `${kept.who} 刚才没有收完，填的内容都留着。点这里接着收`;
    document.getElementById("find").after(again);
  }
  if (pay) pay.addEventListener("submit", () => {
    const form = new FormData(pay), what = { room: form.get("room"), key: form.get("key"), line: form.getAll("line") };
    more().forEach((name) => { what[name] = form.get(name) || ""; });
    what.late = form.get("day") || "";
    what.who = document.querySelector(".who h1").textContent.trim().split(/\s/)[0];
    sessionStorage.setItem(KEPT, JSON.stringify(what));
  });

  // Focus: on the list when somebody was found, on the field at fault after an error, else in the search.
  const problem = document.getElementById("problem");
  const first = document.querySelector("[data-first]");
  const fault = problem && pay && problem.dataset.field && pay.elements[problem.dataset.field];
  if (fault && fault.focus && fault.offsetParent !== null) fault.focus();
  else if (problem && pay) toPay();
  else if (list && pay) list.focus();
  else if (first) first.focus();
  else if (find) { find.focus(); find.select(); }

  // The paper this terminal prints on is remembered as soon as it is chosen.
  const paper = document.querySelector("[data-paper]");
  if (paper) paper.addEventListener("change", () => paper.form.requestSubmit());

  // A receipt just made prints itself, once: as a blob, so that the viewer may be asked to print.
  const print = document.querySelector("[data-print]");
  if (print) {
    history.replaceState(null, "", location.pathname + location.search.replace(/[?&]fresh=[^&]*/, ""));
    fetch(print.href).then((answer) => (answer.ok ? answer.blob() : Promise.reject(answer.status))).then((blob) => {
      const frame = document.createElement("iframe");
      frame.className = "vh";
      frame.src = URL.createObjectURL(blob);
      frame.onload = () => { try { frame.contentWindow.print(); } catch { window.open(frame.src); } if (find) find.focus(); };
      document.body.append(frame);
      document.getElementById("printed").textContent = "已送打印机。卡纸了收据也有效：再打记为补打";
      print.lastChild.textContent = "补打收据";
    }).catch(() => { document.getElementById("printed").textContent = "没送到打印机。收据有效，按“打印收据”再打"; });
  }

  const line = document.getElementById("line");
  const state = (up) => { if (line) { line.className = "gh-live" + (up ? "" : " wait"); line.lastElementChild.textContent = up ? "在线" : "和总部断开了"; } };
  document.body.addEventListener("htmx:sendError", () => state(false));
  document.body.addEventListener("htmx:afterOnLoad", () => state(true));
  window.addEventListener("offline", () => state(false));
  window.addEventListener("online", () => state(true));
})();
