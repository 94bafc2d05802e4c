// The page's beats. Their timer lives in a worker: background tabs throttle their own (beat_worker.js).

export class Heartbeat {
  /**
   * @param {string} script the address of beat_worker.js
   * @param {() => void} beat called for each beat
   */
  constructor(script, beat) {
    this.script = script;
    this.beat = beat;
    /** @type {Worker | null} */
    this.worker = null;
    // A page that is put into the back-forward cache is gone for the sale; its worker would keep it from there.
    addEventListener("pagehide", () => this.stop());
  }

  /**
   * Until it is told again or stopped.
   * @param {number} seconds between two beats
   */
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
