// What is wrong with an e-mail address, in words: the server has the rule, this only finds what to say.
import { t } from "./i18n.js";

export const WRONG = {
  letters: () => t("checkout.email_letters"),
  host: () => t("checkout.email_host"),
  form: () => t("checkout.email_wrong"),
};

/**
 * Of an address that no mail server takes.
 * @param {string} email
 * @returns {keyof typeof WRONG}
 */
export function whatIsWrong(email) {
  const [, local = "", domain = ""] = /^(.*)@([^@]*)$/.exec(email.trim()) ?? [];
  if (/[^ -~]/.test(local)) return "letters";
  return /(^|\.)\d+$/.test(domain) ? "host" : "form";
}
