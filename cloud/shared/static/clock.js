// A counter says what time its computer has; headquarters hears of one that is off (G-03). Nothing is dated by it.
(() => {
  const me = document.currentScript;
  if (!me || !me.dataset.terminal) return;
  const say = () => fetch("/api/v1/terminal-clock", {
    method: "POST",
    headers: { "content-type": "application/json", "x-csrf-token": me.dataset.csrf },
    body: JSON.stringify({ project: Number(me.dataset.project), terminal: me.dataset.terminal, clock: new Date().toISOString() }),
  }).catch(() => undefined);
  say();
  setInterval(say, 600000);
})();
