// Pieces that several views of the console share.
import { Directive, directive } from "../../vendor/lit-html/directive.js";
import { html, noChange, nothing, render } from "../../vendor/lit-html/lit-html.js";
import { counted, inWords, t } from "../i18n.js";
import { at, figure, percent, span } from "./format.js";
import { byOwnClock, inReadersWords, wording } from "./said.js";
import { why } from "./notice.js";
import { Room } from "./room.js";

/**
 * One figure with its name; `note` below it, `level` warn or fail colours it.
 * @param {string} name
 * @param {unknown} value
 * @param {{note?: unknown, level?: "" | "warn" | "fail", wide?: boolean}} more
 */
export const tile = (name, value, { note = nothing, level = "", wide = false } = {}) =>
  html`<div class="tile" data-level=${level} ?data-wide=${wide}>
    <dt>${name}</dt>
    <dd>${value}<small>${note}</small></dd>
  </div>`;

/** Where there is room everything lies open; on a phone a line says it, until somebody wants more. */
export const ROOMY = matchMedia("(min-width: 861px)").matches;

/** Whether a `<details>` is open when it is first drawn; after that it is the operator's business. */
const begins = directive(
  class extends Directive {
    begun = false;

    /**
     * @override
     * @param {import("../../vendor/lit-html/directive.js").ElementPart} part
     * @param {[boolean]} open
     */
    update(part, [open]) {
      if (!this.begun) /** @type {HTMLDetailsElement} */ (part.element).open = open;
      this.begun = true;
      return noChange;
    }

    /** @param {boolean} _open */
    render(_open) {
      return noChange;
    }
  },
);

/**
 * A part of a page that is folded on a phone, unless it alarms when it is first drawn. What begins to alarm later opens
 * nothing, which would push away what is read: its line is coloured. `lead`: what it says when it is folded; `bare`: its
 * content brings frames of its own; `open`: as it begins where there is room.
 * @param {string} id
 * @param {string} title
 * @param {unknown} content
 * @param {{lead?: unknown, alarming?: boolean, bare?: boolean, open?: boolean}} more
 */
export const fold = (id, title, content, { lead = nothing, alarming = false, bare = false, open = ROOMY } = {}) =>
  html`<details
    class="card ${bare ? "bare" : ""}"
    id=${id}
    data-level=${alarming ? "warn" : ""}
    ${begins(open || alarming)}
  >
    <summary>
      <h2>${title}</h2>
      <small>${lead}</small>
    </summary>
    ${content}
  </details>`;

/**
 * A folded part before anything is known of it: as high as it will be, and with what is to be said of that in it.
 * @param {HTMLElement} host
 * @param {string} title
 * @param {unknown} [error] why nothing is known of it still
 */
export const unread = (host, title, error) =>
  render(
    html`<summary>
        <h2>${title}</h2>
        <small></small>
      </summary>
      ${error ? html`<p class="callout" data-kind="bad" role="alert">${why(error)}</p>` : html`<p class="quiet">${t("loading.title")}</p>`}`,
    host,
  );

/**
 * The room of a folded part: opened before it is read, it has that of the screen until it is folded again.
 * @param {HTMLElement} host
 * @param {() => boolean} known whether it is read
 */
export function roomOf(host, known) {
  const room = new Room(host, () => /** @type {HTMLDetailsElement} */ (host).open);
  host.addEventListener("toggle", () => {
    if (!(/** @type {HTMLDetailsElement} */ (host).open)) room.free();
    else if (!known()) room.keep();
  });
  return room;
}

/**
 * What others have changed of a form that lies open is said in the place of `words`, and shown by a press.
 * @param {unknown} words
 * @param {(() => void) | null} show null: nothing was changed
 */
export const changedElsewhere = (words, show) =>
  html`<div class="either" data-testid="changed-elsewhere">
    <p class="hint" ?data-off=${show !== null}>${words}</p>
    <p class="alert-line fresh" data-level="new" role="status" ?data-off=${show === null}>
      <span>${t("ops.fresh.changed")}</span>
      <button type="button" class="button small secondary" @click=${show}>${t("ops.fresh.show")}</button>
    </p>
  </div>`;

/**
 * @param {string} kind
 * @param {string} text
 */
export const pill = (kind, text) => html`<span class="pill" data-kind=${kind}>${text}</span>`;

/**
 * What can be done, or in the same room what became of it: the change moves nothing.
 * @param {boolean} open
 * @param {unknown} actions
 * @param {unknown} words
 */
export const either = (open, actions, words) =>
  html`<div class="either">
    <div class="actions" ?data-off=${!open}>${actions}</div>
    <p class="quiet" ?data-off=${open}>${words}</p>
  </div>`;

/**
 * What became of a press, in a room that is kept from the press on: the answer moves nothing.
 * @param {boolean} pressed
 * @param {unknown} words
 */
export const said = (pressed, words) => html`<div class="said" ?data-kept=${pressed}>${words}</div>`;

/** @param {Api.FoundReservation["status"]} status of a reservation */
export const statusPill = (status) =>
  pill(status === "CONFIRMED" ? "good" : status === "PAYING" ? "warn" : "plain", t(`reservation.status.${status}`));

/**
 * One of several words, with the room of the widest: which one it is moves nothing.
 * @param {string[]} words
 * @param {unknown} shown
 */
export const oneOf = (words, shown) => html`<span data-widest=${words.join("\n")}>${shown}</span>`;

/** @param {{status: string, paused: boolean}} sale */
export const salePill = (sale) =>
  sale.status === "open" && sale.paused
    ? pill("warn", t("ops.state.paused"))
    : pill(sale.status === "open" ? "good" : "plain", t(`ops.state.${sale.status}`));

/** @param {Api.AlertFigures} alert */
const alertName = ({ name, subject }) =>
  `${inWords(`ops.alert.${name}`, name.replaceAll("_", " "))}${subject === "-" ? "" : ` · ${subject}`}`;

/**
 * What to do about a cause, in the page's language; a server that is newer than the page says it in English.
 * @param {string} cause
 * @param {string} action
 */
export const advice = (cause, action) => inWords(`ops.advice.${cause}`, action);

/**
 * A step of a diagnosis by its name in the page's language.
 * @param {string} name
 */
export const stepName = (name) => {
  const [, job] = /^lease of (.+)$/.exec(name) ?? [];
  return job ? t("ops.step.lease_of", { name: job }) : inWords(`ops.step.${name.replaceAll(/[ -]/g, "_")}`, name);
};

const inEnglish = () => document.documentElement.lang === "en";

/** @param {{detail: string, key: string | null, arguments: Record<string, unknown>}} found */
export const seen = (found) => inReadersWords({ ...found, message: found.detail });

/**
 * What was seen; where that is in English alone, and this page is not, what to do about it.
 * @param {Api.AlertFigures} alert
 */
const inShort = (alert) =>
  wording(alert) ?? (inEnglish() ? byOwnClock(alert.detail) : advice(alert.name, alert.action));

/**
 * Opened, the list is as high as it was then, whatever comes and goes.
 * @param {Event & {currentTarget: HTMLDetailsElement}} event
 */
const opened = ({ currentTarget: { open, lastElementChild: list } }) => {
  if (list instanceof HTMLElement) list.style.height = open ? `${list.scrollHeight}px` : "";
};

/**
 * What is wrong now, in a line that is always there: nothing moves when an alert begins or ends. All of it is one press
 * away, and who reads it is not thrown out by the last one's end.
 * @param {Api.AlertFigures[]} alerts
 * @param {boolean} old nobody knows whether they are still all
 */
export const alertList = (alerts, old) => {
  const [first] = [...alerts].sort((a, b) => Number(b.severity === "fail") - Number(a.severity === "fail"));
  const calm = old ? t("ops.stale") : t("ops.alerts.none");
  if (!first && !document.querySelector(".alerts[open]"))
    return html`<p class="alert-line" data-level="none">${calm}</p>`;
  return html`<details class="alerts" data-level=${first?.severity ?? "none"} @toggle=${opened}>
    <summary class="alert-line">
      ${
        first
          ? html`<strong>${counted("ops.alerts.count", alerts.length)}</strong>
              <span>${alertName(first)}: ${inShort(first)}</span>`
          : html`<span>${calm}</span>`
      }
    </summary>
    <ul tabindex="0" aria-label=${t("ops.alerts")}>
      ${alerts.map(
        (alert) =>
          html`<li data-level=${alert.severity}>
            <strong>${alertName(alert)}</strong>
            <span class="since">${t("ops.since", { time: at(alert.since) })}</span>
            <p>${seen(alert)}</p>
            <p class="advice">${advice(alert.name, alert.action)}</p>
          </li>`,
      )}
    </ul>
  </details>`;
};

/** @type {Record<Api.Circuit["mode"], string>} */
const CIRCUIT_LEVELS = { CLOSED: "good", OPEN: "bad", FORCED_OPEN: "bad", HALF_OPEN: "warn", DISABLED: "warn" };

/** @type {[Console.CircuitForce, Api.Circuit["mode"][]][]} */
const FORCES = [
  ["automatic", ["CLOSED", "OPEN", "HALF_OPEN"]],
  ["open", ["FORCED_OPEN"]],
  ["closed", ["DISABLED"]],
];

/**
 * In one text, whose parts come and go: as several, each would move the next one.
 * @param {Api.Circuit} circuit
 */
const circuitWords = ({ failure_rate: rate, calls, seconds_until_probe: probe, shared }) =>
  [
    rate === null ? t("ops.circuit.calm") : t("ops.circuit.rate", { rate: percent(rate / 100), calls: figure(calls) }),
    probe && t("ops.circuit.probe", { time: span(probe) }),
    !shared && t("ops.circuit.alone"),
  ]
    .filter(Boolean)
    .join(" · ");

/**
 * The payment providers with their circuits; `force(provider, state)` is asked for a change.
 * @param {Api.Circuit[]} circuits
 * @param {(provider: string, state: Console.CircuitForce) => void} force
 */
export const circuitList = (circuits, force) =>
  html`<ul class="circuits">
    ${circuits.map(
      (circuit) =>
        html`<li>
          <div>
            <strong>${circuit.provider}</strong> ${pill(CIRCUIT_LEVELS[circuit.mode], t(`ops.circuit.${circuit.mode}`))}
            <small>${circuitWords(circuit)}</small>
          </div>
          <div class="segments" role="group" aria-label=${circuit.provider}>
            ${FORCES.map(
              ([state, modes]) =>
                html`<button
                  type="button"
                  aria-pressed=${modes.includes(circuit.mode)}
                  @click=${() => modes.includes(circuit.mode) || force(circuit.provider, state)}
                >
                  ${t(`ops.circuit.to_${state}`)}
                </button>`,
            )}
          </div>
        </li>`,
    )}
  </ul>`;

/**
 * `detail` of an audit entry in one line.
 * @param {Api.AuditEntry["detail"]} detail
 */
const detailOf = (detail) =>
  Object.entries(detail)
    .filter(([, value]) => value !== null && !(Array.isArray(value) && !value.length))
    .map(([name, value]) => `${name}: ${typeof value === "object" ? JSON.stringify(value) : value}`)
    .join(" · ");

/**
 * A table where there is room for one, else an entry below the other; the roles are said, as its rows are boxes then.
 * @param {Api.AuditEntry[]} entries
 */
export const auditTable = (entries, { subject = true } = {}) =>
  html`<div class="trail">
    <table role="table" aria-label=${t("ops.audit.title")}>
      <thead role="rowgroup">
        <tr role="row">
          <th role="columnheader" scope="col">${t("ops.audit.when")}</th>
          <th role="columnheader" scope="col">${t("ops.audit.who")}</th>
          <th role="columnheader" scope="col">${t("ops.audit.what")}</th>
          ${subject ? html`<th role="columnheader" scope="col">${t("ops.audit.subject")}</th>` : nothing}
          <th role="columnheader" scope="col">${t("ops.audit.detail")}</th>
        </tr>
      </thead>
      <tbody role="rowgroup">
        ${entries.map(
          (entry) =>
            html`<tr role="row">
              <td role="cell" class="time">${at(entry.at)}</td>
              <td role="cell" class="actor">${entry.actor}</td>
              <td role="cell" class="action"><code>${entry.action}</code></td>
              ${subject ? html`<td role="cell" class="about">${entry.subject === "-" ? "" : entry.subject}</td>` : nothing}
              <td role="cell" class="detail">${detailOf(entry.detail)}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
