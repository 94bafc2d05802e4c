// The console's entry: texts, then the view that the page names.
import { use } from "../i18n.js";
import { audit } from "./audit.js";
import { deadLetters } from "./dead_letters.js";
import { newSale } from "./new_sale.js";
import { overview } from "./overview.js";
import { sale } from "./sale.js";

const VIEWS = { overview, sale, new_sale: newSale, audit, dead_letters: deadLetters };

const root = document.getElementById("content");
const { view, slug, language, assets } = root.dataset;

const catalogue = async (name) => (await fetch(`${assets}/i18n/${name}.json`)).json();
const [common, own] = await Promise.all([catalogue(language), catalogue(`ops.${language}`)]);
await use(language, { ...common, ...own });
root.replaceChildren();
VIEWS[view](root, slug);
