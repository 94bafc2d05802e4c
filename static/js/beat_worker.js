// Owns the heartbeat's timer. A page in a background tab gets its timers throttled to one a minute, a worker does not:
// so the worker keeps the time and the page, woken by the message, sends the beat.
let timer = null;

self.addEventListener("message", ({ data }) => {
  if (timer !== null) clearInterval(timer);
  timer = null;
  if (data.every > 0) timer = setInterval(() => self.postMessage("beat"), data.every);
});
