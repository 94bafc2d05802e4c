// The console's entry: texts, then the view that the page names.
import { untilAnswered } from "../backoff.js";
import { byId } from "../dom.js";
import { catalogue, learnCurrencies, use } from "../i18n.js";
import "../site.js";
import * as api from "./api.js";
import { audit } from "./audit.js";
import { deadLetters } from "./dead_letters.js";
import { findings } from "./findings.js";
import { newSale } from "./new_sale.js";
import { overview } from "./overview.js";
import { refunds } from "./refunds.js";
import { sale } from "./sale.js";
import { sessions } from "./sessions.js";
import { watchSignedOut } from "./signed_out.js";

/** @type {Record<string, (root: HTMLElement, slug: string) => void>} */
const VIEWS = { overview, sale, new_sale: newSale, audit, refunds, findings, sessions, dead_letters: deadLetters };

const root = byId("content");
const { view = "overview", slug = "", language = "en", assets = "" } = root.dataset;

// Without them there is nothing to show; the page says "one moment" meanwhile.
const [common, own, currencies] = await untilAnswered(() =>
  Promise.all([catalogue(language, assets), catalogue(`ops.${language}`, assets), api.currencies()]),
);
learnCurrencies(currencies.minor_digits, currencies.otherwise);
await use(language, { ...common, ...own });
root.replaceChildren();
watchSignedOut();
VIEWS[view](root, slug);
