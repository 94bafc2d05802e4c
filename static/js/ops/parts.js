// Pieces that several views of the console share.
import { Directive, directive } from "../../vendor/lit-html/directive.js";
import { html, noChange, nothing } from "../../vendor/lit-html/lit-html.js";
import { counted, t } from "../i18n.js";
import { at, figure, percent, span } from "./format.js";

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

/** Opens a `<details>` when `wanted` becomes true; whether it is folded after that is the operator's business. */
const opens = directive(
  class extends Directive {
    was = false;

    /**
     * @override
     * @param {import("../../vendor/lit-html/directive.js").ElementPart} part
     * @param {[boolean]} wanted
     */
    update(part, [wanted]) {
      if (wanted && !this.was) /** @type {HTMLDetailsElement} */ (part.element).open = true;
      this.was = wanted;
      return noChange;
    }

    /** @param {boolean} _wanted */
    render(_wanted) {
      return noChange;
    }
  },
);

/**
 * A part of a page that is folded on a phone, and opens when it begins to alarm. `lead`: what it says when it is folded;
 * `bare`: its content brings frames of its own.
 * @param {string} id
 * @param {string} title
 * @param {unknown} content
 * @param {{lead?: unknown, alarming?: boolean, bare?: boolean}} more
 */
export const fold = (id, title, content, { lead = nothing, alarming = false, bare = false } = {}) =>
  html`<details class="card ${bare ? "bare" : ""}" id=${id} ?open=${ROOMY} ${opens(alarming)}>
    <summary>
      <h2>${title}</h2>
      <small>${lead}</small>
    </summary>
    ${content}
  </details>`;

/**
 * @param {string} kind
 * @param {string} text
 */
export const pill = (kind, text) => html`<span class="pill" data-kind=${kind}>${text}</span>`;

/** @param {Api.FoundReservation["status"]} status of a reservation */
export const statusPill = (status) =>
  pill(status === "CONFIRMED" ? "good" : status === "PAYING" ? "warn" : "plain", t(`reservation.status.${status}`));

/** @param {{status: string, paused: boolean}} sale */
export const salePill = (sale) =>
  sale.status === "open" && sale.paused
    ? pill("warn", t("ops.state.paused"))
    : pill(sale.status === "open" ? "good" : "plain", t(`ops.state.${sale.status}`));

/** @param {Api.AlertFigures} alert */
const alertName = ({ name, subject }) => `${name.replaceAll("_", " ")}${subject === "-" ? "" : ` · ${subject}`}`;

/**
 * What is wrong now, in a line that is always there: nothing moves when an alert begins or ends. All of it is one press away.
 * @param {Api.AlertFigures[]} alerts
 * @param {boolean} old nobody knows whether they are still all
 */
export const alertList = (alerts, old) => {
  const [first] = [...alerts].sort((a, b) => Number(b.severity === "fail") - Number(a.severity === "fail"));
  if (!first) return html`<p class="alert-line" data-level="none">${old ? t("ops.stale") : t("ops.alerts.none")}</p>`;
  return html`<details class="alerts" data-level=${first.severity}>
    <summary class="alert-line">
      <strong>${counted("ops.alerts.count", alerts.length)}</strong>
      <span>${alertName(first)}: ${first.detail}</span>
    </summary>
    <ul aria-label=${t("ops.alerts")}>
      ${alerts.map(
        (alert) =>
          html`<li data-level=${alert.severity}>
            <strong>${alertName(alert)}</strong>
            <span class="since">${t("ops.since", { time: at(alert.since) })}</span>
            <p>${alert.detail}</p>
            <p class="advice">${alert.action}</p>
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
            <small>
              ${circuit.failure_rate === null ? t("ops.circuit.calm") : t("ops.circuit.rate", { rate: percent(circuit.failure_rate / 100), calls: figure(circuit.calls) })}
              ${circuit.seconds_until_probe ? ` · ${t("ops.circuit.probe", { time: span(circuit.seconds_until_probe) })}` : nothing}
              ${circuit.shared ? nothing : ` · ${t("ops.circuit.alone")}`}
            </small>
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

/** @param {Api.AuditEntry[]} entries */
export const auditTable = (entries, { subject = true } = {}) =>
  html`<div class="scroll" tabindex="0" role="group" aria-label=${t("ops.audit.title")}>
    <table>
      <thead>
        <tr>
          <th scope="col">${t("ops.audit.when")}</th>
          <th scope="col">${t("ops.audit.who")}</th>
          <th scope="col">${t("ops.audit.what")}</th>
          ${subject ? html`<th scope="col">${t("ops.audit.subject")}</th>` : nothing}
          <th scope="col">${t("ops.audit.detail")}</th>
        </tr>
      </thead>
      <tbody>
        ${entries.map(
          (entry) =>
            html`<tr>
              <td class="time">${at(entry.at)}</td>
              <td>${entry.actor}</td>
              <td><code>${entry.action}</code></td>
              ${subject ? html`<td>${entry.subject === "-" ? "" : entry.subject}</td>` : nothing}
              <td class="detail">${detailOf(entry.detail)}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
