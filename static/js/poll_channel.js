// The channel without a WebSocket: asks the HTTP twins and says what they answer in the channel's own messages.
import { NoAnswer, Refusal } from "./api.js";

// Milliseconds between two looks; each of them is a beat, so a server that wants beats more often is asked more often.
const WAITING_EVERY = 4000;
const ACTIVE_EVERY = 2000;
const AFTER_FAILURE = 5000;
const OUTAGE_EVERY = 2000; // an outage is told within five seconds, whatever the looks wait for
const NEW_TIMES_WITHIN = 4000; // milliseconds for which the end of an outage waits for the ends of session and hold
// The server's own defaults (core/settings), until it has told what it wants.
const RULES = { beat_seconds: 10, active_grace_seconds: 30, waiting_grace_seconds: 120, session_warning_seconds: 60 };

/** @typedef {typeof RULES} Rules seconds */

export class PollChannel {
  /** @param {Sale.ChannelParts} parts */
  constructor({ api, onMessage, onStatus }) {
    this.api = api;
    this.onMessage = onMessage;
    this.onStatus = onStatus;
    /** @type {Rules} */
    this.rules = RULES;
    this.welcomed = false;
    /** @type {"none" | "entered" | "waiting" | "active"} */
    this.state = "none";
    /** @type {string | null} */
    this.until = null; // the end of the turn, ISO 8601
    /** @type {string | null} */
    this.ticket = null;
    this.turn = 0; // grows with each command: a look from before it says nothing about now
    this.heardAt = performance.now(); // when the server last heard a beat
    /** @type {Promise<void> | null} */
    this.looking = null; // the look that is under way
    this.timer = 0;
    this.stopped = false;
    /** @type {boolean | null} */
    this.reachable = null;
    this.said = ""; // the basket as it was told last
    this.outage = ""; // as it was told last
    this.watcher = 0;
    this.patience = NEW_TIMES_WITHIN;
  }

  async start() {
    void this.#watch();
    await this.#look();
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    clearTimeout(this.watcher);
  }

  /**
   * False when nothing answers.
   * @param {Wire.Command} message
   */
  send(message) {
    if (this.stopped || this.reachable === false) return false;
    this.#run(message);
    return true;
  }

  /** @param {Wire.Command} message */
  async #run(message) {
    const changes = message.type !== "beat" && message.type !== "sync";
    try {
      // A look that is under way may have been answered before this command or after it.
      if (changes) this.turn += 1;
      await this.#obey(message);
      if (changes) this.turn += 1;
      this.#reached();
    } catch (error) {
      if (error instanceof NoAnswer) this.#unreached();
      if (this.stopped) return;
      const id = "id" in message ? message.id : undefined;
      // Without an answer it may have been done: the next look tells the basket (R5).
      const unknown = id ? "outcome_unknown" : "store_unavailable";
      const code = error instanceof Refusal ? error.code : unknown;
      const detail = error instanceof Error ? error.message : String(error);
      const asked = "seats" in message ? message.seats : [];
      const seats = (error instanceof Refusal && error.data.seats) || asked;
      const { challenge, captcha, max, largest, alternatives } = error instanceof Refusal ? error.data : {};
      this.onMessage(
        id
          ? { type: "refused", id, code, detail, seats, max, largest, alternatives }
          : { type: "problem", code, detail, challenge, captcha },
      );
    }
  }

  /**
   * What it throws is told as `refused` or `problem`.
   * @param {Wire.Command} message
   */
  async #obey(message) {
    switch (message.type) {
      case "join":
        this.placed(
          (await this.api.join(message.ticket ?? this.ticket, message.nonce, message.proof, message.code)).body,
          true,
        );
        break;
      case "beat":
        // The looks are beats, but the browser slows their timer down in a background tab.
        if (this.state !== "none" && performance.now() - this.heardAt >= this.#every) await this.#look();
        break;
      case "hold":
        this.basket((await this.api.hold(message.seats)).body, message.id);
        break;
      case "best": {
        const { type, id, ...wish } = message; // all that is wished for, whatever comes to it
        this.basket((await this.api.best(wish)).body, id);
        break;
      }
      case "release":
        await this.api.release(message.seats);
        this.basket((await this.api.basket()).body, message.id);
        break;
      case "extend":
        this.basket((await this.api.extend()).body, message.id);
        break;
      case "sync":
        this.onMessage({ type: "board", ...(await this.api.board()).body });
        break;
      case "leave":
        await this.api.leave();
        this.state = "none";
        this.onMessage({ type: "expired", reason: "left" });
        break;
    }
  }

  // Asked of the server alone, which asks nobody: the looks may hang where a store does.
  async #watch() {
    try {
      const { away, since, until } = (await this.api.outage()).body;
      const said = JSON.stringify([away, since, until]);
      const quiet = !away.length && since === null;
      if (!this.stopped && said !== this.outage && !(quiet && this.outage === "")) {
        // The new ends of session and hold first: the clocks go on with them.
        if (quiet) await this.#newTimes();
        if (this.stopped) return;
        this.outage = quiet ? "" : said;
        this.onMessage({ type: "outage", away, since, until });
      }
    } catch {
      // No answer: the looks say so.
    }
    if (!this.stopped) this.watcher = setTimeout(() => this.#watch(), OUTAGE_EVERY);
  }

  // A look that was begun before the end was known may have the old ones.
  async #newTimes() {
    let timer = 0;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, this.patience);
    });
    const looks = async () => {
      await this.looking;
      await this.#look();
    };
    await Promise.race([looks(), late]);
    clearTimeout(timer);
  }

  // Milliseconds between two looks.
  get #every() {
    const usual = this.state === "active" ? ACTIVE_EVERY : WAITING_EVERY;
    return Math.min(usual, this.rules.beat_seconds * 1000);
  }

  #again(pause = this.#every) {
    clearTimeout(this.timer);
    if (!this.stopped) this.timer = setTimeout(() => this.#look(), pause);
  }

  /** One look at a time: whoever asks for one while one is under way gets that one. */
  async #look() {
    if (this.stopped) return;
    this.looking ??= this.#lookOnce().finally(() => {
      this.looking = null;
    });
    await this.looking;
  }

  async #lookOnce() {
    try {
      if (!this.welcomed) await this.#hello();
      else if (this.state !== "none") await this.#beat();
      else if (this.reachable === false) await this.#place();
      if (this.state === "active") await this.#seats();
      this.#reached();
      this.#again();
    } catch (error) {
      if (error instanceof NoAnswer) this.#unreached();
      this.#again(AFTER_FAILURE);
    }
  }

  // What a socket's welcome tells: whether the server knows us, its clock, and how often it wants to hear of us.
  async #hello() {
    const [{ body: rules }, { place, ended }] = await Promise.all([this.api.event(), this.#place()]);
    if (this.stopped) return;
    this.rules = rules;
    this.welcomed = true;
    this.outage = ""; // with a welcome the page knows of none
    this.onMessage({
      type: "welcome",
      event: rules.slug,
      visitor: "",
      state: place?.state ?? "none",
      ended,
      now: rules.now,
      beat_seconds: this.rules.beat_seconds,
      grace_seconds:
        place && place.state !== "active" ? this.rules.waiting_grace_seconds : this.rules.active_grace_seconds,
    });
    if (place) this.placed(place);
  }

  /**
   * The own place, or null when there is none; `ended`: why the last one is over, where the server knows.
   * @returns {Promise<{place: Api.QueueAnswer | null, ended?: Wire.Welcome["ended"]}>}
   */
  async #place() {
    try {
      return { place: (await this.api.place()).body };
    } catch (error) {
      if (error instanceof Refusal && error.status < 500 && error.status !== 429)
        return { place: null, ended: error.data.reason };
      throw error;
    }
  }

  /**
   * @param {Api.QueueAnswer} body
   * @param {boolean} [asked] an answer is told, whether it is news or not
   */
  placed(body, asked = false) {
    if (this.stopped) return;
    this.heardAt = performance.now();
    if (body.ticket) this.ticket = body.ticket;
    if (body.state === "entered") {
      this.state = "entered";
      this.onMessage({ type: "entered", ...body });
    } else if (body.state === "active") {
      const news = asked || this.state !== "active" || this.until !== body.until;
      this.until = body.until;
      this.state = "active";
      if (news && body.until)
        this.onMessage({
          type: "admitted",
          until: body.until,
          number: body.number,
          ticket: body.ticket,
          warning_seconds: this.rules.session_warning_seconds,
        });
    } else {
      this.state = "waiting";
      const { number, ahead, waiting, wait, eta_seconds: eta, ticket } = body;
      this.onMessage({ type: "queue", number, ahead, waiting, wait, eta, ticket });
    }
  }

  async #beat() {
    const { turn } = this;
    try {
      const { body } = await this.api.beat();
      if (turn === this.turn) this.placed(body);
    } catch (error) {
      if (!(error instanceof Refusal) || !["not_in_queue", "removed"].includes(error.code)) throw error;
      if (this.stopped || turn !== this.turn) return;
      const why = this.state === "active" ? (error.data.reason ?? (await this.#whyOut())) : null;
      const reason = error.code === "removed" ? "removed" : why;
      if (this.stopped || turn !== this.turn) return;
      this.state = "none";
      this.onMessage(
        reason ? { type: "expired", reason } : { type: "problem", code: "not_in_queue", detail: error.detail },
      );
    }
  }

  /**
   * The answer only says that the visitor is out: a Redis that was lost does not know why.
   * @returns {Promise<Wire.Expired["reason"]>}
   */
  async #whyOut() {
    const silent = (performance.now() - this.heardAt) / 1000;
    const { body } = await this.api.event();
    if (body.status === "closed") return "closed";
    if (Date.parse(body.now) >= Date.parse(this.until ?? "")) return "session";
    return silent >= this.rules.active_grace_seconds ? "heartbeat" : "removed";
  }

  async #seats() {
    const { turn } = this;
    const [board, basket] = await Promise.all([this.api.board(), this.api.basket()]);
    if (this.stopped || turn !== this.turn) return;
    this.onMessage({ type: "board", ...board.body });
    this.basket(basket.body);
  }

  /**
   * Tells the basket: always as the answer to a command `id`, else only when it is news.
   * @param {Api.HeldSeats} body
   * @param {string | number} [id]
   */
  basket({ seats, until, fence, extensions_left }, id) {
    const said = JSON.stringify([seats, until]);
    if (id === undefined && said === this.said) return;
    this.said = said;
    this.onMessage({ type: "held", id: id ?? "", seats, until, fence, extensions_left });
  }

  #reached() {
    if (this.reachable !== true && !this.stopped) this.onStatus("polling");
    this.reachable = true;
  }

  #unreached() {
    if (this.reachable !== false && !this.stopped) this.onStatus("reconnecting");
    this.reachable = false;
  }
}
