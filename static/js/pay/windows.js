// How each provider's window is opened: `kind` and `fields` are the server's (core/payments/gateway.py: Window).
// The same on phones and PCs: the page goes to the window, and the window sends the browser back.

/** A window that did not open, or that the buyer left: `code` is the provider's. */
export class WindowLeft extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

/** Opens the window; resolves when the browser is on its way. Rejects with WindowLeft, or with what the script threw. */
export async function openWindow(window_, { phone } = {}) {
  if (window_.kind === "redirect") return location.assign(window_.url);
  if (window_.kind === "form") return post(window_.url, window_.fields);
  const open = SDKS[window_.provider];
  if (!open) throw new WindowLeft("no_such_window");
  await load(window_.script);
  return open(window_, { phone });
}

const SDKS = {
  // https://docs.tosspayments.com/sdk/v2/js
  async toss({ client_key, fields }) {
    const { TossPayments } = globalThis;
    try {
      await TossPayments(client_key).payment({ customerKey: TossPayments.ANONYMOUS }).requestPayment(fields);
    } catch (error) {
      throw error?.code ? new WindowLeft(String(error.code)) : error;
    }
  },

  // https://developers.portone.io: with forceRedirect the browser comes back by `redirectUrl` on every device.
  async portone({ fields }) {
    const answer = await globalThis.PortOne.requestPayment(fields);
    if (answer?.code) throw new WindowLeft(String(answer.code));
  },

  // NHN KCP's standard pay on a PC: the script shows its window over the page, and calls m_Completepayment with the form.
  kcp({ fields, url }, { phone }) {
    return new Promise((resolve, reject) => {
      const { Ret_URL, ...given } = fields;
      const form = formOf(url ?? Ret_URL, phone ? { ...given, buyr_tel2: phone } : given);
      form.name = "order_info";
      globalThis.m_Completepayment = (answer, close) => {
        const values = answer instanceof HTMLFormElement ? Object.fromEntries(new FormData(answer)) : answer;
        close?.();
        if (values.res_cd !== "0000") {
          reject(new WindowLeft(String(values.res_cd ?? "window_closed")));
          return;
        }
        post(Ret_URL, values);
        resolve();
      };
      globalThis.KCP_Pay_Execute_Web(form);
    });
  },
};

const loaded = new Map();

function load(source) {
  if (!loaded.has(source)) {
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
  }
  return loaded.get(source);
}

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

function post(action, fields) {
  formOf(action, fields).submit();
}
