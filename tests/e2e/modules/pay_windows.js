import { openWindow } from "/static/js/pay/windows.js";
import { same, that, until } from "./same.js";

const SCRIPT = "/test-modules/provider_script.js";

/** Where `act` leads the browser, which stays here: `{path, query, form}`; null when nowhere. */
async function leads(act) {
  let way = null;
  const stay = (event) => {
    if (!event.cancelable) return;
    event.preventDefault();
    const url = new URL(event.destination.url);
    way = {
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      form: event.formData && Object.fromEntries(event.formData),
    };
  };
  navigation.addEventListener("navigate", stay);
  const before = new Set(document.body.children);
  try {
    await act();
    // A form goes on its way in a task of its own.
    await new Promise((resolve) => setTimeout(resolve, 20));
  } finally {
    navigation.removeEventListener("navigate", stay);
    for (const element of document.body.children) if (!before.has(element)) element.remove();
  }
  return way;
}

async function refused(act) {
  try {
    await act();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

function toss(requestPayment) {
  const calls = [];
  globalThis.TossPayments = Object.assign(
    (clientKey) => ({
      payment: (options) => ({
        requestPayment(fields) {
          calls.push({ clientKey, ...options, fields });
          return requestPayment();
        },
      }),
    }),
    { ANONYMOUS: "@@ANONYMOUS" },
  );
  return calls;
}

const TOSS = {
  provider: "toss",
  kind: "sdk",
  script: SCRIPT,
  client_key: "test_ck_1",
  fields: { orderId: "o1", failUrl: `${location.origin}/pay/toss/closed/o1?s=x` },
};

export async function aRedirectGoesThere() {
  const answer = { provider: "stripe", kind: "redirect", url: "/paysim/stripe/c/1?a=b" };
  same(await leads(() => openWindow(answer)), { path: "/paysim/stripe/c/1", query: { a: "b" }, form: null });
}

export async function aFormIsPosted() {
  const answer = { provider: "kcp", kind: "form", url: "/paysim/kcp/pay", fields: { ordr_idxx: "o1", good_mny: 15000 } };
  const form = { ordr_idxx: "o1", good_mny: "15000" };
  same(await leads(() => openWindow(answer)), { path: "/paysim/kcp/pay", query: {}, form });
}

export async function tossIsGivenTheServersFieldsAsTheyAre() {
  const calls = toss(async () => undefined);
  same(await leads(() => openWindow(TOSS)), null);
  same(calls, [{ clientKey: "test_ck_1", customerKey: "@@ANONYMOUS", fields: TOSS.fields }]);
}

export async function theScriptIsLoadedOnce() {
  toss(async () => undefined);
  await openWindow(TOSS);
  const loads = globalThis.providerScripts;
  that(loads >= 1, "it was loaded");
  await openWindow(TOSS);
  same(globalThis.providerScripts, loads);
}

export async function whoLeavesTheWindowOfTossGoesToTheClosedPage() {
  for (const code of ["USER_CANCEL", "PAY_PROCESS_CANCELED", "PAY_PROCESS_ABORTED"]) {
    toss(() => Promise.reject({ code, message: "left" }));
    same(await leads(() => openWindow(TOSS)), { path: "/pay/toss/closed/o1", query: { s: "x", code }, form: null });
  }
}

// P9: the shop's server is told of it, and tells an operator.
export async function whatIsTheShopsToMendGoesToTheClosedPageToo() {
  const code = "INVALID_CLIENT_KEY";
  toss(() => Promise.reject({ code, message: "wrong" }));
  same(await leads(() => openWindow(TOSS)), { path: "/pay/toss/closed/o1", query: { s: "x", code }, form: null });
}

export async function anyOtherErrorOfTossIsAFault() {
  const fault = { code: "NETWORK_ERROR", message: "?" };
  toss(() => Promise.reject(fault));
  that((await refused(() => openWindow(TOSS))) === fault, "as it was thrown");
}

export async function portOneComesBackByItsReturnWithTheCode() {
  const fields = { paymentId: "o1", redirectUrl: `${location.origin}/pay/portone/return/o1?s=x` };
  const answer = { provider: "portone", kind: "sdk", script: SCRIPT, fields };
  globalThis.PortOne = { requestPayment: async () => ({ code: "PORTONE_CANCELED" }) };
  const query = { s: "x", paymentId: "o1", code: "PORTONE_CANCELED" };
  same(await leads(() => openWindow(answer)), { path: "/pay/portone/return/o1", query, form: null });
  globalThis.PortOne = { requestPayment: async () => undefined };
  same(await leads(() => openWindow(answer)), null);
}

const KCP = {
  provider: "kcp",
  kind: "sdk",
  script: SCRIPT,
  fields: { ordr_idxx: "o1", buyr_tel2: "", res_cd: "", Ret_URL: `${location.origin}/pay/kcp/return/o1?s=x` },
};

// P4: on a PC the number is asked for by us; the result, also a closed window's, goes to Ret_URL by a POST.
export async function kcpsLayerPostsWhateverItBrings() {
  let given = null;
  globalThis.KCP_Pay_Execute_Web = (form) => (given = form);
  await leads(() => openWindow(KCP, "01012345678"));
  same([given.name, given.elements.buyr_tel2.value, given.elements.res_cd.value], ["order_info", "01012345678", ""]);
  let closed = 0;
  const ended = { res_cd: "3001", res_msg: "cancelled" };
  const way = { path: "/pay/kcp/return/o1", query: { s: "x" }, form: ended };
  same(await leads(() => globalThis.m_Completepayment(ended, () => (closed += 1))), way);
  const form = document.createElement("form");
  for (const [name, value] of Object.entries(ended)) {
    const input = Object.assign(document.createElement("input"), { name, value });
    form.append(input);
  }
  same(await leads(() => globalThis.m_Completepayment(form)), way);
  same(closed, 1);
}

export async function aScriptThatDoesNotComeIsToldAndAskedForAgain() {
  const answer = { ...TOSS, script: "/static/js/there-is-no-such.js" };
  for (let tried = 0; tried < 2; tried += 1)
    same((await refused(() => openWindow(answer))).message, "the provider's script did not load");
  await until(() => !document.querySelector('script[src*="no-such"]'));
}

export async function anUnknownWindowIsAFault() {
  const error = await refused(() => openWindow({ ...TOSS, provider: "nobody" }));
  that(error.message.includes("nobody"), error.message);
}
