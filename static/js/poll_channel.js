// The channel without a WebSocket: asks the HTTP twins and says what they answer in the channel's own messages.
import { NoAnswer, Refusal } from "./api.js";

const WAITING_EVERY = 4000; // milliseconds between two looks at the place
const ACTIVE_EVERY = 2000; // milliseconds between two looks at the board
const AFTER_FAILURE = 5000; // milliseconds

export class PollChannel {
  constructor({ api, onMessage, onStatus }) {
    this.api = api;
    this.onMessage = onMessage;
    this.onStatus = onStatus;
    this.state = "none";
    this.ticket = null;
    this.timer = null;
    this.stopped = false;
    this.reachable = null;
  }

  async start() {
    try {
      const { body, at } = await this.api.place();
      this.#reached();
      this.#hello(body.state, at);
      this.#placed(body);
    } catch (error) {
      if (error instanceof Refusal) {
        this.#reached();
        this.#hello("none", null);
      } else {
        this.#unreached();
      }
    }
    this.#again();
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  send(message) {
    if (this.stopped || this.reachable === false) return false;
    const work = COMMANDS[message.type];
    if (work) this.#run(message, work);
    return true;
  }

  async #run(message, work) {
    try {
      await work.call(this, message);
      this.#reached();
    } catch (error) {
      if (error instanceof NoAnswer) this.#unreached();
      if (this.stopped) return;
      const code = error instanceof Refusal ? error.code : "store_unavailable";
      if (message.id)
        this.onMessage({
          type: "refused",
          id: message.id,
          code,
          detail: error.message,
          seats: error.data?.seats ?? message.seats ?? [],
        });
      else this.onMessage({ type: "problem", code, detail: error.message });
    }
  }

  #hello(state, at) {
    this.onMessage({
      type: "welcome",
      state,
      now: new Date(at ?? Date.now()).toISOString(),
      beat_seconds: 10,
      grace_seconds: 30,
    });
  }

  placed(body) {
    this.#placed(body);
  }

  #placed(body) {
    if (this.stopped) return;
    if (body.ticket) this.ticket = body.ticket;
    if (body.state === "active") {
      const news = this.state !== "active" || this.until !== body.until;
      this.until = body.until;
      this.state = "active";
      if (news)
        this.onMessage({
          type: "admitted",
          until: body.until,
          number: body.number,
          warning_seconds: body.warning_seconds,
        });
    } else {
      this.state = "waiting";
      const { number, ahead, waiting, eta_seconds: eta, ticket } = body;
      this.onMessage({ type: "queue", number, ahead, waiting, eta, ticket });
    }
  }

  #again(pause) {
    if (this.stopped) return;
    const usual = this.state === "active" ? ACTIVE_EVERY : WAITING_EVERY;
    this.timer = setTimeout(() => this.#look(), pause ?? usual);
  }

  async #look() {
    try {
      if (this.state !== "none") await this.#beat();
      if (this.state === "active") await this.#seats();
      this.#reached();
      this.#again();
    } catch (error) {
      if (error instanceof NoAnswer) this.#unreached();
      this.#again(AFTER_FAILURE);
    }
  }

  async #beat() {
    try {
      this.#placed((await this.api.beat()).body);
    } catch (error) {
      if (!(error instanceof Refusal) || error.code !== "not_in_queue") throw error;
      const wasActive = this.state === "active";
      this.state = "none";
      this.onMessage(wasActive ? { type: "expired", reason: "session" } : { type: "problem", code: "not_in_queue" });
    }
  }

  async #seats() {
    const [board, basket] = await Promise.all([this.api.board(), this.api.basket()]);
    if (this.stopped) return;
    this.onMessage({ type: "board", ...board.body });
    this.#basket(basket.body);
  }

  #basket(body, id) {
    const { seats = [], until = null, fence = null, extensions_left = 0 } = body ?? {};
    const said = JSON.stringify([seats, until]);
    if (id === undefined && said === this.said) return;
    this.said = said;
    this.onMessage({ type: "held", id: id ?? "", seats, until, fence, extensions_left });
  }

  basket(body, id) {
    this.#basket(body, id);
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

// Called with the channel as `this`; what they throw is told as `refused` or `problem`.
const COMMANDS = {
  async join({ ticket }) {
    this.placed((await this.api.join(ticket ?? this.ticket)).body);
  },
  async beat() {
    // The look every few seconds beats already.
  },
  async hold({ id, seats }) {
    this.basket((await this.api.hold(seats)).body, id);
  },
  async release({ id, seats }) {
    await this.api.release(seats);
    this.basket((await this.api.basket()).body, id);
  },
  async extend({ id }) {
    this.basket((await this.api.extend()).body, id);
  },
  async sync() {
    this.onMessage({ type: "board", ...(await this.api.board()).body });
  },
  async leave() {
    this.state = "none";
    await this.api.leave();
    this.onMessage({ type: "expired", reason: "left" });
  },
};
