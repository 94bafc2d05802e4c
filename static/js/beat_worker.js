// Owns the heartbeat's timer. A page in a background tab gets its timers throttled to one a minute, a worker does not:
// so the worker keeps the time and the page, woken by the message, sends the beat.
let timer = 0;

self.addEventListener("message", ({ data }) => {
  clearInterval(timer);
  if (data.every > 0) timer = setInterval(() => self.postMessage("beat"), data.every);
});
