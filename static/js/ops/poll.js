// Asks again and again while the page is seen: at once when it is seen again, less often while nothing answers.
const SLOWEST = 10000;

export class Poll {
  /** `ask()` resolves to the news, `got(news)` shows it, `lost(error)` is told of each failure. */
  constructor({ ask, got, lost, every = 1000 }) {
    Object.assign(this, { ask, got, lost, every });
    this.failures = 0;
    this.timer = null;
    this.asking = false;
    document.addEventListener("visibilitychange", () => this.now());
  }

  /** Asks now, and again from then on. */
  async now() {
    clearTimeout(this.timer);
    if (document.hidden || this.asking) return;
    this.asking = true;
    try {
      const news = await this.ask();
      this.failures = 0;
      this.got(news);
    } catch (error) {
      this.failures += 1;
      this.lost(error);
    } finally {
      this.asking = false;
      this.timer = setTimeout(() => this.now(), Math.min(this.every * 2 ** this.failures, SLOWEST));
    }
  }
}
