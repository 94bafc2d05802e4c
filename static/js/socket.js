// The live channel of a browser: a WebSocket that comes back by itself, or, where WebSockets do not get through, the
// same messages gathered by polling the HTTP twins (poll_channel.js). Views and state cannot tell the difference.
import { asked, delay, mayReturn } from "./backoff.js";
import { unpackedBoard } from "./board.js";
import { PollChannel } from "./poll_channel.js";

const OPEN_WITHIN = 8000; // milliseconds until an opening socket is given up
const TRIES_BEFORE_POLLING = 3; // sockets in a row that never said welcome
const RETRY_SOCKET_EVERY = 60000; // milliseconds, while polling
const STALE_AFTER = 45000; // milliseconds asleep after which an open socket is not believed
const SILENT_BEATS = 1.5; // beats without any frame after which an open socket is not believed: each beat is answered
const SILENT_SPREAD = 5000; // milliseconds, at random, on top: pages of a server that hangs do not come back in one wave
const LATE = 1000; // milliseconds by which a timer comes late only when the page itself stood still
const TO_READ = 2000; // milliseconds that such a page is given to read what came meanwhile

/**
 * `onMessage(message)` gets every message of realtime/wire.py; `onStatus(status)` one of connecting, online,
 * reconnecting, offline, polling, stopped, with the close code for the last.
 */
export class Channel {
  /** @param {Sale.ChannelParts & {slug: string, joins?: () => boolean, random?: () => number}} parts */
  constructor({ slug, api, onMessage, onStatus, joins = () => false, random = Math.random }) {
    this.slug = slug;
    this.api = api;
    this.onMessage = onMessage;
    this.onStatus = onStatus;
    this.joins = joins; // whether a place is wanted, and nothing is to be told with the wish
    this.random = random;
    /** @type {WebSocket | null} */
    this.socket = null;
    /** @type {PollChannel | null} */
    this.poll = null;
    this.attempt = 0;
    this.unwelcome = 0; // sockets in a row that failed before their welcome
    this.welcomed = false;
    this.timer = 0;
    this.stopped = false;
    this.asleep = false;
    /** @type {number | null} */
    this.hiddenAt = null;
    this.away = false; // in the back-forward cache
    this.heardAt = 0; // when the last frame came, by performance.now()
    this.patience = 0; // milliseconds of silence
    this.excused = false; // the silence may have been the page's own
    this.silence = 0; // the timer that looks
  }

  start() {
    addEventListener("online", () => this.#comeBackNow());
    addEventListener("offline", () => this.#lost("offline"));
    document.addEventListener("visibilitychange", () => this.#wake());
    addEventListener("pagehide", () => this.#leave());
    addEventListener("pageshow", (event) => event.persisted && this.#return());
    if (navigator.onLine) this.#open();
    else this.#lost("offline");
  }

  /**
   * False when there is nobody to send to: the caller tells the visitor, nothing is queued behind their back.
   * @param {Wire.Command} message
   */
  send(message) {
    if (this.poll) return this.poll.send(message);
    if (!this.welcomed || !this.socket || this.socket.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  /** A socket that answers beats and not what was asked is not believed either: a new one tells how things stand. */
  renew() {
    if (this.welcomed) this.#closed({ code: 1006 });
  }

  stop() {
    this.stopped = true;
    this.#clear();
    this.poll?.stop();
    this.poll = null;
  }

  #open() {
    if (this.stopped) return;
    this.#clear();
    let socket;
    try {
      const scheme = location.protocol === "https:" ? "wss" : "ws";
      // The board comes with the admission: before it nothing is drawn.
      const wishes = this.joins() ? "board=packed&join=now" : "board=packed";
      const address = `${location.host}/ws/events/${encodeURIComponent(this.slug)}?${wishes}`;
      socket = new WebSocket(`${scheme}://${address}`);
    } catch {
      // No WebSocket in this browser, or forbidden by policy.
      this.#startPolling();
      return;
    }
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.welcomed = false;
    this.timer = setTimeout(() => socket === this.socket && this.#closed({ code: 1006 }), OPEN_WITHIN);
    socket.addEventListener("message", ({ data }) => {
      if (socket !== this.socket) return;
      this.heardAt = performance.now();
      this.excused = false;
      const message = data instanceof ArrayBuffer ? unpackedBoard(data) : JSON.parse(data);
      if (message.type === "welcome") this.#welcome(message);
      this.onMessage(message);
    });
    socket.addEventListener("close", (event) => socket === this.socket && this.#closed(event));
  }

  /** @param {Wire.Welcome} message */
  #welcome({ beat_seconds: beat }) {
    clearTimeout(this.timer);
    this.patience = beat * 1000 * SILENT_BEATS + this.random() * SILENT_SPREAD;
    this.#listen(this.patience);
    this.welcomed = true;
    this.attempt = 0;
    this.unwelcome = 0;
    if (this.poll) {
      this.poll.stop();
      this.poll = null;
    }
    this.onStatus("online");
  }

  /**
   * A server that hangs, or a cable that is cut, leaves a socket open for minutes.
   * @param {number} pause milliseconds until somebody looks
   */
  #listen(pause) {
    clearTimeout(this.silence);
    const due = performance.now() + pause;
    this.silence = setTimeout(() => {
      const now = performance.now();
      const left = this.heardAt + this.patience - now;
      if (left > 0) this.#listen(left);
      else if (now - due > LATE && !this.excused) {
        this.excused = true;
        this.#listen(TO_READ);
      } else this.#closed({ code: 1006 });
    }, pause);
  }

  /** @param {{code: number, reason?: string}} event */
  #closed({ code, reason }) {
    const wasWelcome = this.welcomed;
    this.#clear();
    if (!mayReturn(code)) {
      this.stop();
      this.onStatus("stopped", code);
      return;
    }
    if (!navigator.onLine) {
      this.#lost("offline");
      return;
    }
    // A server that says when to come has only no time now.
    const pause = asked(reason, this.random);
    if (!wasWelcome && pause === null) this.unwelcome += 1;
    if (this.poll) {
      this.timer = setTimeout(() => this.#open(), RETRY_SOCKET_EVERY);
      return;
    }
    if (this.unwelcome >= TRIES_BEFORE_POLLING) {
      this.#startPolling();
      return;
    }
    this.onStatus("reconnecting");
    this.timer = setTimeout(() => this.#open(), pause ?? delay(this.attempt, this.random));
    if (pause === null) this.attempt += 1;
  }

  #startPolling() {
    if (this.poll || this.stopped) return;
    this.poll = new PollChannel({ api: this.api, onMessage: this.onMessage, onStatus: this.onStatus });
    this.poll.start();
    if (typeof WebSocket === "function") this.timer = setTimeout(() => this.#open(), RETRY_SOCKET_EVERY);
  }

  // The page goes into the back-forward cache, or away for good. Nobody sees it there: its grace begins, as with any lost
  // connection. It has not left: who comes back in time finds the place and the seats.
  #leave() {
    if (this.stopped) return;
    this.away = true;
    this.#clear();
    this.poll?.stop();
  }

  #return() {
    if (this.stopped) return;
    this.away = false;
    this.hiddenAt = null;
    this.attempt = 0;
    const polled = this.poll !== null;
    this.poll = null;
    this.onStatus(navigator.onLine ? "reconnecting" : "offline");
    if (polled) this.#startPolling();
    else if (navigator.onLine) this.#open();
  }

  /** @param {Sale.Connection} status */
  #lost(status) {
    if (this.stopped) return;
    this.#clear();
    this.onStatus(status);
  }

  #comeBackNow() {
    if (
      this.stopped ||
      this.away ||
      (this.welcomed && this.socket?.readyState === WebSocket.OPEN && navigator.onLine && !this.asleep)
    )
      return;
    this.asleep = false;
    this.attempt = 0;
    this.onStatus("reconnecting");
    this.#open();
  }

  #wake() {
    if (document.hidden) {
      this.hiddenAt = Date.now();
      return;
    }
    // A phone that slept has lost its socket without being told.
    if (this.hiddenAt !== null && Date.now() - this.hiddenAt > STALE_AFTER && !this.poll) {
      this.asleep = true;
      this.#comeBackNow();
    }
    this.hiddenAt = null;
  }

  #clear() {
    clearTimeout(this.timer);
    clearTimeout(this.silence);
    const socket = this.socket;
    this.socket = null;
    this.welcomed = false;
    if (socket && socket.readyState <= 1) socket.close(1000);
  }
}
