// The page's beats. Their timer lives in a worker: background tabs throttle their own (beat_worker.js).

export class Heartbeat {
  /** `script`: the address of beat_worker.js; `beat()` is called for each beat. */
  constructor(script, beat) {
    this.script = script;
    this.beat = beat;
    this.worker = null;
    // A page that is put into the back-forward cache is gone for the sale; its worker would keep it from there.
    addEventListener("pagehide", () => this.stop());
  }

  /** From now on a beat every `seconds`, until it is told again or stopped. */
  every(seconds) {
    if (this.worker === null) {
      this.worker = new Worker(this.script);
      this.worker.addEventListener("message", () => this.beat());
    }
    this.worker.postMessage({ every: seconds * 1000 });
  }

  stop() {
    this.worker?.terminate();
    this.worker = null;
  }
}
