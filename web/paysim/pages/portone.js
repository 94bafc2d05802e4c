/*
 * Plays PortOne's browser SDK v2 (https://cdn.portone.io/v2/browser-sdk.js) for a shop that is tried without it: the same
 * name, the same answers ({code, message} for what cannot be opened), checked more strictly than the real one checks. The
 * window is a page of its own, to which the buyer's browser goes (forceRedirect).
 */
(function () {
  "use strict";

  // .../paysim/portone/v2/browser-sdk.js -> .../paysim/portone
  const home = document.currentScript.src.replace(/\/v2\/browser-sdk\.js.*$/, "");

  async function requestPayment(asked) {
    if (typeof asked !== "object" || asked === null) throw new TypeError("requestPayment takes an object");
    for (const name of ["storeId", "channelKey", "paymentId", "orderName", "currency", "payMethod"]) {
      if (typeof asked[name] !== "string" || !asked[name]) throw new TypeError(`${name} is missing`);
    }
    let answer, said;
    try {
      answer = await fetch(`${home}/windows`, {
        method: "POST",
        headers: { "Content-Type": "application/json", Authorization: `Basic ${btoa(`${asked.storeId}:`)}` },
        body: JSON.stringify(asked),
        credentials: "omit",
        referrerPolicy: "no-referrer",
      });
      said = await answer.json();
    } catch {
      throw new Error("the payment window cannot be reached");
    }
    if (!answer.ok) return { code: said.type ?? "UNKNOWN", message: said.message, paymentId: asked.paymentId };
    location.assign(`${home}/windows/${said.window}`);
    // As with the real one: the promise does not come back, because the page goes.
    return new Promise((resolve) => setTimeout(resolve, 10_000));
  }

  window.PortOne = { requestPayment };
})();
