// How each provider's window is opened: `kind` and `fields` are the server's (core/payments/gateway.py: Window).
// The same on phones and PCs: the browser goes to the window, and the window sends it back.

/**
 * Opens the window; resolves when the browser is on its way, or when a window lies over the page. Rejects with what the
 * provider's script threw. `phone`: the buyer's number, where the provider asks for it.
 * @param {Pay.Window} answer
 * @param {string} phone
 * @returns {Promise<void>}
 */
export async function openWindow(answer, phone = "") {
  if (answer.kind === "redirect") return location.assign(String(answer.url));
  if (answer.kind === "form") return post(String(answer.url), answer.fields ?? {});
  const open = SDKS[answer.provider];
  if (!open || !answer.script) throw new Error(`no window of ${answer.provider} is known here`);
  await load(answer.script);
  return open(answer.fields ?? {}, String(answer.client_key ?? ""), phone);
}

/** The buyer left Toss Payments' window: no fault of anybody's. */
const LEFT = new Set(["USER_CANCEL", "PAY_PROCESS_CANCELED", "PAY_PROCESS_ABORTED"]);

/** It does not open for what is the shop's to mend: keys, contract, what its page asks for. Its server is told. */
const OURS = new Set([
  "BELOW_ZERO_AMOUNT",
  "INCORRECT_FAIL_URL_FORMAT",
  "INCORRECT_SUCCESS_URL_FORMAT",
  "INSECURE_KEY_USAGE",
  "INVALID_AMOUNT_CURRENCY",
  "INVALID_AMOUNT_VALUE",
  "INVALID_CLIENT_KEY",
  "INVALID_CUSTOMER_KEY",
  "INVALID_ORDER_ID",
  "INVALID_ORDER_NAME",
  "INVALID_PARAMETERS",
  "INVALID_SUCCESS_URL",
  "INVALID_URL",
  "NOT_REGISTERED_REDIRECT_URL",
  "NOT_SUPPORTED_API_INDIVIDUAL_KEY",
  "NOT_SUPPORTED_METHOD",
  "NOT_SUPPORTED_PROMISE",
  "NOT_SUPPORTED_WIDGET_KEY",
  "V1_METHOD_NOT_SUPPORTED",
]);

/** @type {Record<string, (fields: Pay.Fields, clientKey: string, phone: string) => Promise<void>>} */
const SDKS = {
  // https://docs.tosspayments.com/sdk/v2/js
  async toss(fields, clientKey) {
    try {
      const { TossPayments } = globalThis;
      await TossPayments(clientKey).payment({ customerKey: TossPayments.ANONYMOUS }).requestPayment(fields);
    } catch (error) {
      const code = error instanceof Object && "code" in error ? String(error.code) : "";
      if (!LEFT.has(code) && !OURS.has(code)) throw error;
      location.assign(withCode(fields.failUrl, { code }));
    }
  },

  // https://developers.portone.io: with forceRedirect the browser comes back by `redirectUrl` on every device.
  async portone(fields) {
    const answer = await globalThis.PortOne.requestPayment(fields);
    if (!answer?.code) return;
    location.assign(withCode(fields.redirectUrl, { paymentId: String(fields.paymentId), code: answer.code }));
  },

  // NHN KCP's standard pay on a PC: its script shows a window over the page, and calls m_Completepayment at the end.
  async kcp(fields, _, phone) {
    const { Ret_URL, ...given } = fields;
    const form = formOf(String(Ret_URL), phone ? { ...given, buyr_tel2: phone } : given);
    form.name = "order_info";
    globalThis.m_Completepayment = (answer, close) => {
      const values = answer instanceof HTMLFormElement ? Object.fromEntries(new FormData(answer)) : answer;
      close?.();
      // Also what ended without an authorisation: the server tells closed from declined by `res_cd`.
      post(String(Ret_URL), values);
    };
    globalThis.KCP_Pay_Execute_Web(form);
  },
};

/** @type {Map<string, Promise<void>>} */
const loaded = new Map();

/** @param {string} source */
function load(source) {
  const known = loaded.get(source);
  if (known) return known;
  /** @type {Promise<void>} */
  const coming = new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = source;
    script.addEventListener("load", () => resolve());
    script.addEventListener("error", () => {
      script.remove();
      loaded.delete(source);
      reject(new Error("the provider's script did not load"));
    });
    document.head.append(script);
  });
  loaded.set(source, coming);
  return coming;
}

/**
 * @param {unknown} address
 * @param {Record<string, string>} values
 */
function withCode(address, values) {
  const url = new URL(String(address));
  for (const [name, value] of Object.entries(values)) url.searchParams.set(name, value);
  return url.href;
}

/**
 * @param {string} action
 * @param {Record<string, unknown>} fields
 */
function formOf(action, fields) {
  const form = document.createElement("form");
  form.method = "post";
  form.action = action;
  form.hidden = true;
  for (const [name, value] of Object.entries(fields)) {
    const input = document.createElement("input");
    input.type = "hidden";
    input.name = name;
    input.value = String(value);
    form.append(input);
  }
  document.body.append(form);
  return form;
}

/**
 * @param {string} action
 * @param {Record<string, unknown>} fields
 */
function post(action, fields) {
  formOf(action, fields).submit();
}
