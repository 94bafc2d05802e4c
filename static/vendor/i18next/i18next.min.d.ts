import type { i18n } from "i18next";

declare global {
  var i18next: i18n;
}
