// Asks again and again while the page is seen: at once when it is seen again or somebody has signed in anew, less often
// while nothing answers.
import { announce } from "../announce.js";
import { doubled } from "../backoff.js";
import { tellInBar } from "../banner.js";
import { t } from "../i18n.js";
import { why } from "./notice.js";
import { SIGNED_IN } from "./signed_out.js";

const SLOWEST = 10000;

/** @template News */
export class Poll {
  /**
   * `ask()` resolves to the news, `got(news)` shows it, `lost(error)` is told of each failure. That there is no answer
   * stands in the bar, and what `away(news)` says while there is one.
   * @param {object} parts
   * @param {() => Promise<News>} parts.ask
   * @param {(news: News) => void} parts.got
   * @param {(error: unknown) => void} [parts.lost]
   * @param {(news: News) => string} [parts.away]
   * @param {number} [parts.every] milliseconds
   */
  constructor({ ask, got, lost = () => {}, away = () => "", every = 1000 }) {
    this.ask = ask;
    this.got = got;
    this.lost = lost;
    this.away = away;
    this.known = false;
    this.every = every;
    this.failures = 0;
    this.said = "";
    this.timer = 0;
    this.asking = false;
    this.stale = false; // something was done since the question that is under way
    for (const back of ["visibilitychange", SIGNED_IN]) document.addEventListener(back, () => this.now());
  }

  /** Asks now, and again from then on. */
  async now() {
    clearTimeout(this.timer);
    if (document.hidden) return;
    if (this.asking) {
      this.stale = true;
      return;
    }
    this.asking = true;
    this.stale = false;
    try {
      const news = await this.ask();
      this.failures = 0;
      this.known = true;
      const away = this.away(news);
      tellInBar(away && "away", away);
      if (away && away !== this.said) announce(away, { urgent: true });
      this.said = away;
      this.got(news);
    } catch (error) {
      this.failures += 1;
      const words = `${this.known ? t("ops.stale") : ""} ${why(error)}`.trim();
      tellInBar("lost", words);
      if (this.failures === 1) announce(words, { urgent: true });
      this.lost(error);
    } finally {
      this.asking = false;
      const pause = this.stale ? 0 : doubled(this.every, this.failures, SLOWEST);
      this.timer = setTimeout(() => this.now(), pause);
    }
  }
}
