// What changes the whole installation or a whole sale: asked about first, told afterwards.
import { t } from "../i18n.js";
import * as api from "./api.js";
import { figure } from "./format.js";
import { attempt, confirm } from "./notice.js";

/**
 * Forces a provider's circuit.
 * @param {string} provider
 * @param {Console.CircuitForce} state
 * @param {() => void} after
 */
export async function force(provider, state, after) {
  const sure =
    state === "automatic" ||
    (await confirm({
      title: t("ops.force.title", { provider }),
      text: t(`ops.force.${state}`),
      go: t(`ops.circuit.to_${state}`),
    }));
  if (!sure) return;
  await attempt(
    () => api.forceCircuit(provider, state),
    () => t("ops.done"),
  );
  after();
}

/** The controls of one sale; `after()` is called when something may have changed. */
export class SaleActions {
  /**
   * @param {Console.SaleApi} sale
   * @param {() => void} after
   */
  constructor(sale, after) {
    this.sale = sale;
    this.after = after;
  }

  open = () => this.#control("open", { title: t("ops.open.title"), text: t("ops.open.text"), go: t("ops.open.go") });
  close = () =>
    this.#control("close", {
      title: t("ops.close.title"),
      text: t("ops.close.text"),
      go: t("ops.close.go"),
      word: this.sale.slug,
    });
  pause = () =>
    this.#control("pause", { title: t("ops.pause.title"), text: t("ops.pause.text"), go: t("ops.pause.go") });
  resume = () => this.#control("resume", null);

  /** @param {number} value */
  limit = (value) =>
    this.#do(
      () => this.sale.limit(value),
      () => t("ops.limit.done", { number: figure(value) }),
    );

  /**
   * @param {number[]} seats
   * @param {boolean} blocked
   */
  async block(seats, blocked) {
    const sure = await confirm({
      title: blocked
        ? t("ops.block.title", { number: figure(seats.length) })
        : t("ops.unblock.title", { number: figure(seats.length) }),
      text: blocked ? t("ops.block.text") : t("ops.unblock.text"),
      go: blocked ? t("ops.block.go") : t("ops.unblock.go"),
    });
    return (
      sure &&
      this.#do(
        () => this.sale.block(seats, blocked),
        (done) =>
          done.unchanged.length
            ? t("ops.block.partly", { number: figure(done.seats.length), left: figure(done.unchanged.length) })
            : t("ops.block.done", { number: figure(done.seats.length) }),
      )
    );
  }

  /**
   * @param {number} seat
   * @param {string} visitor
   */
  async release(seat, visitor) {
    const sure = await confirm({
      title: t("ops.release.title"),
      text: t("ops.release.text", { visitor }),
      go: t("ops.release.go"),
    });
    return (
      sure &&
      this.#do(
        () => this.sale.release(seat),
        () => t("ops.done"),
      )
    );
  }

  /** @param {string} visitor */
  async remove(visitor) {
    const sure = await confirm({
      title: t("ops.remove.title"),
      text: t("ops.remove.text", { visitor }),
      go: t("ops.remove.go"),
    });
    return (
      sure &&
      this.#do(
        () => this.sale.remove(visitor),
        (done) => (done.removed ? t("ops.done") : t("ops.remove.nobody")),
      )
    );
  }

  /**
   * @param {"open" | "close" | "pause" | "resume"} name
   * @param {import("./notice.js").Confirmation | null} question
   */
  async #control(name, question) {
    if (question && !(await confirm(question))) return;
    await this.#do(
      () => this.sale.control(name),
      () => t("ops.done"),
    );
  }

  /**
   * @template Result
   * @param {() => Promise<Result>} action
   * @param {(result: Result) => string} done
   */
  async #do(action, done) {
    const result = await attempt(action, done);
    this.after();
    return result;
  }
}
