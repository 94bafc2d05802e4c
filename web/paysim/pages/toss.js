/*
 * Plays Toss Payments' SDK v2 (https://js.tosspayments.com/v2/standard) for a shop that is tried without it: the same
 * names, the same errors ({code, message}), checked more strictly than the real one checks. The window is a page of its
 * own, and the buyer's browser goes there (windowTarget "self"); "iframe" is refused, on a phone as the real one does,
 * on a PC because the test bank lets nobody frame it.
 */
(function () {
  "use strict";

  // .../paysim/toss/v2/standard -> .../paysim/toss
  const home = document.currentScript.src.replace(/\/v2\/standard.*$/, "");
  const FIELDS = [
    "method",
    "amount",
    "orderId",
    "orderName",
    "successUrl",
    "failUrl",
    "windowTarget",
    "customerEmail",
    "customerName",
    "customerMobilePhone",
    "card",
    "virtualAccount",
  ];
  const ANONYMOUS = "@@ANONYMOUS";
  let busy = false;

  class TossPaymentsError extends Error {
    constructor(code, message) {
      super(message);
      this.name = "TossPaymentsError";
      this.code = code;
    }
  }

  function fail(code, message) {
    throw new TossPaymentsError(code, message);
  }

  function isText(value, least, most) {
    return typeof value === "string" && value.length >= least && value.length <= most;
  }

  function isAddress(value) {
    try {
      return ["http:", "https:"].includes(new URL(value).protocol);
    } catch {
      return false;
    }
  }

  function check(asked) {
    if (typeof asked !== "object" || asked === null) fail("INVALID_PARAMETERS", "requestPayment takes an object");
    for (const name of Object.keys(asked)) {
      if (!FIELDS.includes(name)) fail("INVALID_PARAMETERS", `requestPayment has no parameter ${name}`);
    }
    const { method, amount, orderId, orderName, successUrl, failUrl, windowTarget } = asked;
    if (!["CARD", "VIRTUAL_ACCOUNT"].includes(method)) fail("NOT_SUPPORTED_METHOD", "method");
    if (typeof amount !== "object" || amount === null) fail("INVALID_AMOUNT_VALUE", "amount is {currency, value}");
    if (!/^[A-Z]{3}$/.test(amount.currency ?? "")) fail("INVALID_AMOUNT_CURRENCY", "amount.currency");
    if (typeof amount.value !== "number" || !Number.isFinite(amount.value))
      fail("INVALID_AMOUNT_VALUE", "amount.value");
    if (amount.value <= 0) fail("BELOW_ZERO_AMOUNT", "amount.value is above 0");
    if (!isText(orderId, 6, 64) || !/^[A-Za-z0-9_=-]+$/.test(orderId)) fail("INVALID_PARAMETERS", "orderId");
    if (!isText(orderName, 1, 100)) fail("INVALID_PARAMETERS", "orderName has 1 to 100 characters");
    if (!isAddress(successUrl)) fail("INCORRECT_SUCCESS_URL_FORMAT", "successUrl");
    if (!isAddress(failUrl)) fail("INCORRECT_FAIL_URL_FORMAT", "failUrl");
    if (windowTarget !== undefined && windowTarget !== null && windowTarget !== "self") {
      fail("NOT_SUPPORTED_WINDOW_TARGET", 'windowTarget is "self" here: the test bank is a page of its own');
    }
  }

  async function requestPayment(clientKey, asked) {
    check(asked);
    if (busy) fail("INVALID_METHOD_TRANSACTION", "a payment was requested before, and is under way");
    busy = true;
    try {
      const answer = await fetch(`${home}/windows`, {
        method: "POST",
        headers: { "Content-Type": "application/json", Authorization: `Basic ${btoa(`${clientKey}:`)}` },
        body: JSON.stringify(asked),
        credentials: "omit",
        referrerPolicy: "no-referrer",
      });
      const said = await answer.json();
      if (!answer.ok) fail(said.code, said.message ?? said.detail);
      location.assign(`${home}/windows/${said.window}`);
      // As with the real one: the promise does not come back, because the page goes.
      await new Promise((resolve) => setTimeout(resolve, 10_000));
    } catch (error) {
      if (error instanceof TossPaymentsError) throw error;
      fail("UNKNOWN", "the payment window cannot be reached");
    } finally {
      busy = false;
    }
  }

  function TossPayments(clientKey) {
    if (!isText(clientKey, 10, 200) || !/^(test|live)_g?ck_/.test(clientKey)) {
      fail("INVALID_CLIENT_KEY", "the client key begins with test_ck_ or live_ck_");
    }
    return {
      payment(options) {
        const customerKey = options?.customerKey;
        if (customerKey !== ANONYMOUS && !/^[A-Za-z0-9\-_=.@]{2,50}$/.test(customerKey ?? "")) {
          fail("INVALID_CUSTOMER_KEY", "customerKey has 2 to 50 characters, or is TossPayments.ANONYMOUS");
        }
        return { requestPayment: (asked) => requestPayment(clientKey, asked) };
      },
    };
  }

  TossPayments.ANONYMOUS = ANONYMOUS;
  window.TossPayments = TossPayments;
})();
