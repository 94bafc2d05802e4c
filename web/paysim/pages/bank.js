/* The test bank's window: a clock, waiting, and the address for another browser. Every choice works without it. */

const clock = document.querySelector(".clock");
const pay = document.querySelector("[data-pay]");
const ends = clock ? performance.now() + 1000 * Number(clock.dataset.seconds) : 0;

function shown(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

function tick() {
  const left = (ends - performance.now()) / 1000;
  clock.textContent = shown(left);
  if (left <= 0) location.reload();
  else setTimeout(tick, 500);
}

if (clock) tick();

for (const button of document.querySelectorAll("[data-wait]")) {
  button.addEventListener("click", () => {
    const until = performance.now() + 1000 * Number(button.dataset.wait);
    const said = document.querySelector(".waiting");
    for (const other of document.querySelectorAll("[data-wait]")) other.disabled = true;
    (function count() {
      const left = (until - performance.now()) / 1000;
      said.textContent = said.dataset.text.replace("{}", shown(left));
      if (left <= 0) pay.requestSubmit();
      else setTimeout(count, 1000);
    })();
  });
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = button.dataset.done;
  });
}

const leaving = document.querySelector("[data-leave]");
if (leaving && parent !== window) {
  // In a frame over the shop's page: its script takes the result, and nobody of another site.
  parent.postMessage({ kcp: Object.fromEntries(new FormData(leaving)) }, new URL(leaving.action).origin);
} else {
  leaving?.requestSubmit();
}
