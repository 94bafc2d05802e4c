// A captcha of somebody else's, where the shop has set one: Turnstile, hCaptcha and reCAPTCHA are shown in the same way.

/** @typedef {{render(box: HTMLElement, options: Record<string, unknown>): unknown, reset(): void}} Widget */

/** Shows it in `box`, which the caller puts on the page. */
export class Captcha {
  constructor() {
    this.box = document.createElement("div");
    this.box.className = "captcha";
    /** @type {Promise<Widget> | null} */
    this.widget = null;
    this.shown = false;
  }

  /**
   * Once shown, again for another token.
   * @param {{site_key: string, script: string}} captcha
   * @param {(token: string) => void} solved
   */
  async show({ site_key: sitekey, script }, solved) {
    this.widget ??= load(script);
    const widget = await this.widget;
    if (this.shown) widget.reset();
    else widget.render(this.box, { sitekey, callback: solved });
    this.shown = true;
  }
}

/**
 * @param {string} script
 * @returns {Promise<Widget>}
 */
function load(script) {
  return new Promise((resolve, reject) => {
    const page = /** @type {any} */ (globalThis);
    page.onsaleCaptcha = () => resolve(page.turnstile ?? page.hcaptcha ?? page.grecaptcha);
    const element = document.createElement("script");
    element.src = `${script}?render=explicit&onload=onsaleCaptcha`;
    element.addEventListener("error", () => reject(new Error("the captcha's script did not come")));
    document.head.append(element);
  });
}
