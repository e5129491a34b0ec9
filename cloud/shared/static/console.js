// Every console page: keys (UI.md 14), pop-ups that close, forms that are sent once, counts of the menu, drafts, order of columns.
(() => {
  if (window.gatehouse) return;
  window.gatehouse = true;
  document.documentElement.classList.add("js");
  const all = (selector, root) => [...(root || document).querySelectorAll(selector)];
  const POPS = "details.scope[open], details.pop[open], details.more[open]";
  const typing = (event) => event.target.closest && event.target.closest("input, select, textarea, [contenteditable]");

  // Pop-ups: one at a time, closed by Escape (focus goes back to what opened it) or a click elsewhere.
  document.addEventListener("toggle", (event) => {
    const opened = event.target;
    if (!opened.open || !opened.matches("details.scope, details.pop, details.more")) return;
    all(POPS).forEach((one) => { if (one !== opened && !one.contains(opened)) one.removeAttribute("open"); });
    const first = opened.querySelector(".popf .in, [data-narrow]");
    if (first) first.focus();
  }, true);
  document.addEventListener("click", (event) => {
    all(POPS).forEach((one) => { if (!one.contains(event.target)) one.removeAttribute("open"); });
    if (event.target.closest("[data-keys]")) sheet(true);
    if (event.target.closest("[data-close]") || event.target.id === "keys") sheet(false);
  });
  const keys = document.getElementById("keys");
  let before = null;
  function sheet(open) {
    if (!keys || keys.hidden === !open) return;
    if (open) before = document.activeElement;
    keys.hidden = !open;
    if (open) keys.querySelector("[data-close]").focus();
    else if (before && before.isConnected) before.focus();
  }

  // On a phone a table is cards: a number or a day says of which column it is, by the column's own head.
  function label(root) {
    all("table.tcard", root).forEach((table) => {
      const heads = all("thead th", table).map((one) => one.textContent.trim().replace(/（元）$/, ""));
      all("tbody tr:not(.tot):not(.none) > td:is(.m, .num):not(.amt):not([data-l]):not([colspan])", table).forEach((cell) => {
        if (cell.textContent.trim() && heads[cell.cellIndex]) cell.dataset.l = heads[cell.cellIndex];
      });
    });
  }
  label();
  document.addEventListener("htmx:afterSettle", (event) => label(event.target.parentElement || document));

  // Rows of a list: arrows walk, Enter opens, Space ticks.
  const rows = () => all("table.gt.stick tbody tr").filter((one) => one.querySelector("a, input[type=checkbox]"));
  function walk(step) {
    const found = rows();
    if (!found.length) return false;
    const at = found.findIndex((one) => one.contains(document.activeElement));
    const next = found[Math.min(Math.max(at + step, 0), found.length - 1)];
    (next.querySelector("a") || next.querySelector("input")).focus();
    return true;
  }

  let going = 0;
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      if (keys && !keys.hidden) { sheet(false); return; }
      const open = document.querySelector(POPS);
      if (open) { open.removeAttribute("open"); open.querySelector("summary").focus(); return; }
      if (event.target.matches && event.target.matches("[data-find]")) event.target.blur();
      return;
    }
    if (typing(event) || (document.body.classList.contains("desk-body") && event.key !== "/")) return;
    if (going && Date.now() - going < 1500) {
      going = 0;
      const link = document.querySelector(`.gh-side [data-go="${CSS.escape(event.key)}"]`);
      if (link) { event.preventDefault(); location.assign(link.href); return; }
    }
    const acts = {
      "/": () => { const find = document.querySelector("[data-find]"); if (find) { find.focus(); find.select(); } return !!find; },
      "?": () => { sheet(true); return !!keys; },
      "g": () => { going = Date.now(); return true; },
      "f": () => { const chip = document.querySelector("[data-filters] summary"); if (chip) chip.parentNode.setAttribute("open", ""); return !!chip; },
      "ArrowDown": () => walk(1), "ArrowUp": () => walk(-1),
      " ": () => { const row = document.activeElement.closest("tr"), box = row && row.querySelector("input[type=checkbox]"); if (box) box.click(); return !!box; },
    };
    if (acts[event.key] && acts[event.key]()) event.preventDefault();
  });

  // The switcher of somebody with many projects: typing narrows it.
  document.addEventListener("input", (event) => {
    if (event.target.matches("[data-narrow]")) {
      const text = event.target.value.trim();
      all("a", event.target.parentNode).forEach((one) => { one.hidden = !!text && !one.textContent.includes(text); });
    }
    if (event.target.matches("[data-expect]")) ready(event.target);
  });
  const bare = (text) => text.replace(/[,\s]/g, "");
  function ready(field) {
    const button = field.form && field.form.querySelector("button[type=submit]");
    if (button) button.setAttribute("aria-disabled", String(bare(field.value) !== bare(field.dataset.expect)));
  }
  all("[data-expect]").forEach(ready);

  // A form is sent once; a disabled button sends nothing.
  document.addEventListener("submit", (event) => {
    const form = event.target, button = event.submitter || form.querySelector("button[type=submit], button:not([type])");
    if (form.dataset.sent || (button && button.getAttribute("aria-disabled") === "true")) { event.preventDefault(); return; }
    if (form.hasAttribute("data-once")) {
      form.dataset.sent = "1";
      all("button[type=submit], button:not([type])", form).forEach((one) => one.setAttribute("aria-disabled", "true"));
    }
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) all("form[data-sent]").forEach((form) => {
      delete form.dataset.sent;
      all("button[aria-disabled]", form).forEach((one) => one.removeAttribute("aria-disabled"));
    });
  });

  // What is wrong comes first: focus goes to the first field with an error (UI.md 8).
  const wrong = document.querySelector("main [aria-invalid=true]");
  if (wrong) (wrong.matches("fieldset") ? wrong.querySelector("input") : wrong).focus();

  // How much waits behind the menu's entries, and the bell of jobs that have ended; asked after the page, so that no page waits for it,
  // and again each half minute while it is looked at.
  const counted = all("[data-count]");
  let ended = null;
  const counts = () => fetch("/shell/counts", { headers: { accept: "application/json" }, credentials: "same-origin", redirect: "manual" })
    .then((answer) => (answer.ok ? answer.json() : null))
    .then((found) => {
      if (!found) return;
      counted.forEach((one) => {
        const count = found[one.dataset.count];
        one.hidden = !count;
        one.textContent = count ? count[0] : "";
        one.classList.toggle("q", !!count && !count[1]);
      });
      const now = found["/jobs"] ? found["/jobs"][0] : 0;
      if (ended !== null && now > ended) rung();
      ended = now;
    }).catch(() => {});
  function rung() {
    const strip = document.createElement("a");
    strip.className = "rung";
    strip.href = "/jobs";
    strip.setAttribute("role", "status");
    strip.textContent = "后台任务做完了，点这里看";
    document.body.append(strip);
    setTimeout(() => strip.remove(), 12000);
  }
  if (counted.length) {
    counts();
    setInterval(() => { if (!document.hidden) counts(); }, 30000);
  }

  // Order of columns: drag, or Alt and arrows on a focused box.
  all("[data-sortable]").forEach((list) => {
    let held = null;
    all("li", list).forEach((one) => { one.draggable = true; });
    list.addEventListener("dragstart", (event) => { held = event.target.closest("li"); held.classList.add("drag"); });
    list.addEventListener("dragend", () => { if (held) held.classList.remove("drag"); held = null; });
    list.addEventListener("dragover", (event) => {
      const over = event.target.closest("li");
      if (!held || !over || over === held) return;
      event.preventDefault();
      const half = over.getBoundingClientRect();
      list.insertBefore(held, event.clientY < half.top + half.height / 2 ? over : over.nextSibling);
    });
    list.addEventListener("keydown", (event) => {
      const one = event.target.closest("li");
      if (!event.altKey || !one || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
      event.preventDefault();
      if (event.key === "ArrowUp" && one.previousElementSibling) list.insertBefore(one, one.previousElementSibling);
      if (event.key === "ArrowDown" && one.nextElementSibling) list.insertBefore(one.nextElementSibling, one);
      event.target.focus();
    });
  });

  // Drafts (UI.md 8): <form data-draft="fees.edit:17"> is kept on the server every 5 s, and here when it is sent, so that nothing typed
  // is lost with the session; the next visit puts it back and says so. A form that was sent and taken forgets it.
  const SENT = "gatehouse:sent";
  if (location.pathname === "/login") sessionStorage.removeItem(SENT);
  const token = (form) => { const field = form.querySelector("[name=csrf]"); return field ? field.value : ""; };
  const kept = (form) => {
    const found = {};
    all("input, select, textarea", form).forEach((one) => {
      if (!one.name || one.name === "csrf" || ["password", "file", "submit", "button"].includes(one.type)) return;
      if ((one.type === "checkbox" || one.type === "radio") && !one.checked) { if (!(one.name in found)) found[one.name] = ""; return; }
      found[one.name] = one.value;
    });
    return found;
  };
  const put = (form, typed) => all("input, select, textarea", form).forEach((one) => {
    if (!(one.name in typed) || one.name === "csrf" || one.type === "password" || one.type === "file") return;
    if (one.type === "checkbox" || one.type === "radio") one.checked = typed[one.name] === one.value;
    else one.value = typed[one.name];
    one.dispatchEvent(new Event("input", { bubbles: true }));
  });
  const tell = (form, path, more) => fetch(path, { method: "POST", credentials: "same-origin", redirect: "manual",
    headers: { "x-csrf-token": token(form), "content-type": "application/json" }, body: JSON.stringify({ form: form.dataset.draft, ...more }) });
  const forms = all("form[data-draft]");
  const sent = sessionStorage.getItem(SENT);
  if (sent && !document.querySelector("main [aria-invalid=true], main [data-errors]") && location.pathname !== "/login") {
    sessionStorage.removeItem(SENT);
    const mark = JSON.parse(sent);
    if (document.querySelector(".gh-app")) {
      sessionStorage.removeItem(`gatehouse:${mark.form}`);
      fetch("/prefs/draft/drop", { method: "POST", credentials: "same-origin", redirect: "manual",
        headers: { "x-csrf-token": mark.csrf, "content-type": "application/json" }, body: JSON.stringify({ form: mark.form }) }).catch(() => {});
    }
  }
  forms.forEach((form) => {
    const name = form.dataset.draft, store = `gatehouse:${name}`;
    let last = JSON.stringify(kept(form)), started = last;
    const restore = (typed, when) => {
      if (!typed || JSON.stringify({ ...kept(form), ...typed }) === last) return;
      put(form, typed);
      last = JSON.stringify(kept(form));
      const note = document.createElement("div"), drop = document.createElement("button");
      note.className = "note wait sm f";
      note.setAttribute("role", "status");
      note.append(when ? `上次填到一半（${when}），已放回。` : "刚才没送出去的内容已放回，可以接着填。", drop);
      drop.type = "button"; drop.className = "linkbtn"; drop.textContent = "不要了";
      drop.addEventListener("click", () => {
        put(form, JSON.parse(started)); last = started; note.remove();
        sessionStorage.removeItem(store);
        tell(form, "/prefs/draft/drop", {}).catch(() => {});
      });
      form.prepend(note);
    };
    const local = sessionStorage.getItem(store);
    if (!form.querySelector("[aria-invalid=true], [data-errors]")) {
      if (local) restore(JSON.parse(local), "");
      else fetch(`/prefs/draft?form=${encodeURIComponent(name)}`, { credentials: "same-origin", redirect: "manual" })
        .then((answer) => (answer.ok ? answer.json() : null))
        .then((found) => { if (found && found.typed && JSON.stringify(kept(form)) === started) restore(found.typed, found.at); }).catch(() => {});
    }
    setInterval(() => {
      const now = JSON.stringify(kept(form));
      if (now === last || form.dataset.sent) return;
      tell(form, "/prefs/draft", { typed: JSON.parse(now) }).then((answer) => { if (answer.ok) last = now; }).catch(() => {});
    }, Number(form.dataset.every || 5000));
    form.addEventListener("submit", () => {
      sessionStorage.setItem(store, JSON.stringify(kept(form)));
      sessionStorage.setItem(SENT, JSON.stringify({ form: name, csrf: token(form) }));
    });
  });
})();
