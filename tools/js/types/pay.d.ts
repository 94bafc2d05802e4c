/** The payment page: what `GET /pay/{order}` answers as JSON, and what providers' scripts bring. */
declare namespace Pay {
  type Fields = Record<string, unknown>;

  /** `kind` and what goes with it are there while the attempt is OPEN. */
  type Window = {
    order: string;
    provider: string;
    state: string;
    status: string;
    until: string;
    kind?: "sdk" | "redirect" | "form";
    script?: string;
    url?: string;
    client_key?: string;
    fields?: Fields;
    detail?: string;
  };

  type TossPayments = {
    (clientKey: string): {
      payment(options: { customerKey: string }): { requestPayment(fields: Fields): Promise<unknown> };
    };
    ANONYMOUS: string;
  };
  type PortOne = { requestPayment(fields: Fields): Promise<{ code?: string } | undefined> };
}

declare var TossPayments: Pay.TossPayments;
declare var PortOne: Pay.PortOne;
/** NHN KCP's script: opens its window for a form, and calls `m_Completepayment` with what came of it. */
declare function KCP_Pay_Execute_Web(form: HTMLFormElement): void;
declare var m_Completepayment: (answer: HTMLFormElement | Record<string, string>, close?: () => void) => void;
