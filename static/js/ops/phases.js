// A sale in parts, and the access codes that open them: made, brought along, revoked.
import { html, nothing, render } from "../../vendor/lit-html/lit-html.js";
import { live } from "../../vendor/lit-html/directives/live.js";
import { Busy } from "../busy.js";
import { t } from "../i18n.js";
import { LONG } from "./api.js";
import { isPartName } from "./event_texts.js";
import { field, goToFirst } from "./field.js";
import { figure } from "./format.js";
import { attempt, confirm, sorry, tell, why } from "./notice.js";
import { emptyRow, MOST_PHASES, phaseFaults, phasesOf, rowsOf } from "./phase_rows.js";

/** @typedef {import("./phase_rows.js").Row} Row */

const COLUMNS = /** @type {const} */ ([
  "name",
  "opens_at",
  "closes_at",
  "prequeue_seconds",
  "code_group",
  "quota",
  "max_seats",
]);

const NUMBERS = new Set(["prequeue_seconds", "quota", "max_seats"]);

export class Phases {
  /**
   * `changed()` is told when something was saved.
   * @param {{sale: Console.SaleApi, host: HTMLElement, changed: () => void}} parts
   */
  constructor({ sale, host, changed }) {
    this.sale = sale;
    this.host = host;
    this.changed = changed;
    this.id = "codes";
    this.zone = "UTC";
    /** @type {Row[]} */
    this.rows = [];
    this.touched = false;
    /** @type {Set<string>} */
    this.faults = new Set();
    this.failure = "";
    this.busy = new Busy(() => this.draw(), LONG);
    /** @type {Api.CodeGroupOf[] | null} */
    this.groups = null;
    /** @type {Record<string, string>} */
    this.fields = { code_group: "", code_count: "100", code_uses: "1" };
    /** @type {Map<string, string>} */
    this.wrong = new Map();
    this.refresh();
  }

  /** What others changed is shown, unless something is being typed here. */
  async refresh() {
    if (this.busy.on) return;
    try {
      const [settings, codes] = await Promise.all([this.sale.settings(), this.sale.codes()]);
      this.groups = codes.groups;
      if (!this.touched) {
        this.zone = settings.time_zone;
        this.rows = rowsOf(settings.phases, this.zone);
      }
      this.draw();
      this.host.hidden = false;
    } catch {
      // Asked again with a later look.
    }
  }

  /** @param {Row[]} rows */
  #write(rows) {
    this.rows = rows;
    this.touched = true;
    if (this.faults.size) this.faults = phaseFaults(rows, this.zone);
    this.draw();
  }

  /** @param {Event} event */
  #save = async (event) => {
    event.preventDefault();
    if (this.busy.on) return;
    this.failure = "";
    this.faults = phaseFaults(this.rows, this.zone);
    this.draw();
    if (this.faults.size) {
      goToFirst(this.host);
      return;
    }
    await this.busy.run(
      async () => {
        await this.sale.change({ phases: phasesOf(this.rows, this.zone) });
        this.touched = false;
        tell(t("ops.settings.done"));
        this.changed();
      },
      (error) => {
        this.failure = why(error);
      },
    );
    await this.refresh();
    this.draw();
  };

  /**
   * @param {string} name
   * @param {HTMLInputElement} input
   */
  typed = (name, input) => {
    this.fields[name] = input.value;
    this.draw();
  };

  /** The group and the uses of what is made or brought along; null: one is wrong, and said. */
  #named() {
    const { code_group: group, code_uses: uses } = this.fields;
    this.wrong = new Map();
    if (!isPartName(group.trim())) this.wrong.set("code_group", "code_group");
    if (!/^[1-9]\d{0,4}$/.test(uses)) this.wrong.set("code_uses", "code_uses");
    this.draw();
    if (!this.wrong.size) return { group: group.trim(), uses: Number(uses) };
    goToFirst(this.host);
    return null;
  }

  #make = async () => {
    const named = this.#named();
    if (!named || this.busy.on) return;
    const count = /^[1-9]\d{0,5}$/.test(this.fields.code_count) ? Number(this.fields.code_count) : 0;
    if (count < 1 || count > 100_000) {
      this.wrong = new Map([["code_count", "code_count"]]);
      this.draw();
      goToFirst(this.host);
      return;
    }
    await this.busy.run(async () => {
      save(await this.sale.makeCodes({ ...named, count }), `${this.sale.slug}-${named.group}.csv`);
      tell(t("ops.codes.made", { number: figure(count) }));
    }, sorry);
    await this.refresh();
    this.changed();
  };

  /** @param {InputOf<HTMLInputElement>} event */
  #bring = async (event) => {
    const [file] = event.target.files ?? [];
    event.target.value = "";
    if (!file) return;
    const named = this.#named();
    if (!named || this.busy.on) return;
    await this.busy.run(async () => {
      const { added, known } = await this.sale.bringCodes(named, file);
      tell(
        known
          ? t("ops.codes.brought_some", { number: figure(added), known: figure(known) })
          : t("ops.codes.brought", { number: figure(added) }),
      );
    }, sorry);
    await this.refresh();
    this.changed();
  };

  /** @param {string} group */
  #revoke = async (group) => {
    const sure = await confirm({
      title: t("ops.codes.revoke_sure", { group }),
      text: t("ops.codes.revoke_text"),
      go: t("ops.codes.revoke"),
    });
    if (!sure) return;
    await attempt(
      () => this.sale.revokeCodes({ group }),
      ({ revoked }) => t("ops.codes.revoked", { number: figure(revoked) }),
    );
    await this.refresh();
    this.changed();
  };

  draw() {
    render(
      html`
        <summary>
          <h2>${t("ops.phases.title")}</h2>
          <small>${this.rows.length ? this.rows.map(({ name }) => name).join(" · ") : t("ops.phases.none")}</small>
        </summary>
        <form class="sale-form" novalidate @submit=${this.#save}>
          <p class="hint">${t("ops.phases.hint", { zone: this.zone })}</p>
          <ul class="phase-rows">
            ${this.rows.map((row, index) => this.#row(row, index))}
          </ul>
          ${this.faults.size ? html`<p class="wrong" id="phases-wrong">${t("ops.field.wrong.phases")}</p>` : nothing}
          ${this.failure ? html`<p class="callout" data-kind="bad" role="alert">${this.failure}</p>` : nothing}
          <div class="actions">
            ${this.rows.length < MOST_PHASES ? html`<button type="button" class="button small secondary" data-more @click=${() => this.#write([...this.rows, emptyRow()])}>${t("ops.phases.more")}</button>` : nothing}
            <button type="submit" class="button small primary" ?disabled=${!this.touched || this.busy.on}>
              ${t("ops.settings.go")}
            </button>
            ${this.touched ? html`<button type="button" class="button small secondary" @click=${this.#undo}>${t("ops.settings.undo")}</button>` : nothing}
          </div>
        </form>
        ${this.#codes()}
      `,
      this.host,
    );
  }

  #undo = async () => {
    this.touched = false;
    this.faults = new Set();
    this.failure = "";
    await this.refresh();
  };

  /**
   * @param {Row} row
   * @param {number} index
   */
  #row(row, index) {
    /** @param {typeof COLUMNS[number]} name */
    const input = (name) => {
      const id = `phase-${index}-${name}`;
      /** @param {InputOf<HTMLInputElement>} event */
      const typed = (event) =>
        this.#write(this.rows.map((one, at) => (at === index ? { ...one, [name]: event.target.value } : one)));
      return html`<div class="field">
        <label for=${id}>${t(`ops.field.phase_${name}`)}</label>
        <input
          id=${id}
          type=${name.endsWith("_at") ? "datetime-local" : "text"}
          inputmode=${NUMBERS.has(name) ? "numeric" : nothing}
          autocomplete="off"
          aria-invalid=${this.faults.has(`${index}.${name}`) ? "true" : "false"}
          aria-describedby=${this.faults.size ? "phases-wrong" : nothing}
          .value=${live(row[name])}
          @input=${typed}
        />
      </div>`;
    };
    return html`<li>
      <div class="fields">${COLUMNS.map(input)}</div>
      <button
        type="button"
        class="button small secondary"
        @click=${() => this.#write(this.rows.filter((_, at) => at !== index))}
      >
        ${t("ops.field.fee_less")}
      </button>
    </li>`;
  }

  #codes() {
    return html`<section class="codes" aria-labelledby="codes-title">
      <h3 id="codes-title">${t("ops.codes.title")}</h3>
      <p class="hint">${t("ops.codes.hint")}</p>
      ${
        this.groups?.length
          ? html`<ul class="found">
              ${this.groups.map(
                (group) =>
                  html`<li>
                    <strong>${group.name}</strong>
                    <small
                      >${t("ops.codes.figures", { codes: figure(group.codes), uses: figure(group.uses), spent: figure(group.spent), revoked: figure(group.revoked) })}</small
                    >
                    ${group.codes > group.revoked ? html`<button type="button" class="button small secondary" @click=${() => this.#revoke(group.name)}>${t("ops.codes.revoke")}</button>` : nothing}
                  </li>`,
              )}
            </ul>`
          : nothing
      }
      <div class="fields">
        ${field(this, "code_group", { lower: true })} ${field(this, "code_uses", { mode: "numeric" })}
        ${field(this, "code_count", { mode: "numeric", hint: t("ops.codes.count_hint") })}
      </div>
      <div class="actions">
        <button type="button" class="button small primary" aria-disabled=${this.busy.on} @click=${this.#make}>
          ${t("ops.codes.make")}
        </button>
        <label class="button small secondary file"
          >${t("ops.codes.bring")}<input type="file" accept=".csv,text/csv,text/plain" @change=${this.#bring}
        /></label>
      </div>
    </section>`;
  }
}

/**
 * @param {Blob} file
 * @param {string} name
 */
function save(file, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
