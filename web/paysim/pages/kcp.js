/*
 * Plays NHN KCP's standard pay on a PC (https://spay.kcp.co.kr/plugin/kcp_spay_hub.js): KCP_Pay_Execute_Web(form) lays
 * the window over the page, and hands what it brings to m_Completepayment(form, closeEvent), which must be there before.
 * It is stricter than the real one: what that only warns of is an error here.
 */
(function () {
  "use strict";

  const home = document.currentScript.src.replace(/\/plugin\/kcp_spay_hub\.js.*$/, "");
  const site = new URL(home).origin;
  const NEEDED = ["site_cd", "ordr_idxx", "good_mny", "good_name", "pay_method", "currency", "Ret_URL", "buyr_tel2"];
  const FILLED = [
    "res_cd",
    "res_msg",
    "enc_info",
    "enc_data",
    "ret_pay_method",
    "tran_cd",
    "use_pay_method",
    "ordr_chk",
  ];
  let layer = null;

  function close() {
    layer?.remove();
    layer = null;
    removeEventListener("message", told);
  }

  let told = () => {};

  function valuesOf(form) {
    return Object.fromEntries(new FormData(form));
  }

  window.GetField = function GetField(target, source) {
    for (const [name, value] of Object.entries(source instanceof HTMLFormElement ? valuesOf(source) : source)) {
      if (target.elements[name]) target.elements[name].value = value;
    }
  };

  function formOf(fields) {
    const form = document.createElement("form");
    for (const [name, value] of Object.entries(fields)) {
      const input = document.createElement("input");
      input.type = "hidden";
      input.name = name;
      input.value = value;
      form.append(input);
    }
    return form;
  }

  function end(fields) {
    window.m_Completepayment(formOf(fields), close);
  }

  async function open(fields) {
    const answer = await fetch(`${home}/windows`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ ...fields, Ret_URL: new URL(fields.Ret_URL, location.href).href }),
      credentials: "omit",
      referrerPolicy: "no-referrer",
    });
    const said = await answer.json();
    if (!answer.ok) {
      end({ res_cd: said.res_cd, res_msg: said.res_msg });
      return;
    }
    layer = document.createElement("dialog");
    layer.style.padding = "0";
    const bar = document.createElement("div");
    bar.style.textAlign = "right";
    const frame = document.createElement("iframe");
    frame.src = `${home}/windows/${said.window}`;
    frame.title = "NHN KCP";
    frame.width = "480";
    frame.height = "640";
    frame.style.display = "block";
    frame.style.border = "0";
    frame.style.maxWidth = "90vw";
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "×";
    button.ariaLabel = document.documentElement.lang === "ko" ? "결제창 닫기" : "Close the payment window";
    button.addEventListener("click", () => end({ res_cd: "3001", res_msg: "cancelled" }));
    layer.addEventListener("cancel", () => end({ res_cd: "3001", res_msg: "cancelled" }));
    button.style.padding = "0.5rem 0.75rem";
    bar.append(button);
    layer.append(bar, frame);
    document.body.append(layer);
    layer.showModal();
    told = (event) => {
      if (event.origin === site && event.source === frame.contentWindow && event.data?.kcp) end(event.data.kcp);
    };
    addEventListener("message", told);
  }

  window.KCP_Pay_Execute_Web = function KCP_Pay_Execute_Web(form) {
    if (typeof window.m_Completepayment !== "function") throw new Error("m_Completepayment is not there");
    if (!(form instanceof HTMLFormElement) || form.name !== "order_info") throw new Error("the form is order_info");
    const fields = valuesOf(form);
    fields.Ret_URL ??= form.action;
    for (const name of NEEDED) if (!fields[name]) throw new Error(`${name} is needed`);
    for (const name of FILLED) if (fields[name] !== "") throw new Error(`the form has no empty field ${name}`);
    open(fields).catch(() => end({ res_cd: "9999", res_msg: "the payment window cannot be reached" }));
  };
})();
