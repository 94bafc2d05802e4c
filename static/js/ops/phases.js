// A sale in parts, and the access codes that open them: made, brought along, revoked.
import { html, nothing, render } from "../../vendor/lit-html/lit-html.js";
import { Busy } from "../busy.js";
import { byId } from "../dom.js";
import { t } from "../i18n.js";
import { LONG } from "./api.js";
import { errorSummary, faultsOf } from "./error_summary.js";
import { isPartName } from "./event_texts.js";
import { field, goToFirst, timeField } from "./field.js";
import { figure } from "./format.js";
import { attempt, confirm, sorry, tell, why } from "./notice.js";
import { changedElsewhere, roomOf, said, unread } from "./parts.js";
import { emptyRow, MOST_PHASES, phaseFaults, phasesOf, rowsOf } from "./phase_rows.js";

/** @typedef {import("./phase_rows.js").Row} Row */
/** @typedef {{settings: Api.SaleSettings, groups: Api.CodeGroupOf[]}} Known */

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
    /** @type {Map<string, string>[]} */
    this.faults = []; // of each row, once the form was sent
    this.tried = false;
    this.pressed = false;
    this.failure = "";
    this.busy = new Busy(() => this.draw(), LONG);
    /** What others have made of it while it lies open. @type {Known | null} */
    this.news = null;
    /** The group that is being made, or was not. */
    this.making = "";
    this.shape = ""; // which parts and groups are shown
    /** @type {Api.CodeGroupOf[] | null} */
    this.groups = null;
    /** @type {Record<string, string>} */
    this.fields = { code_group: "", code_count: "100", code_uses: "1" };
    /** @type {Map<string, string>} */
    this.wrong = new Map();
    this.made = false; // what is wrong is what keeps codes from being made here
    this.room = roomOf(host, () => this.shape !== "");
    unread(host, t("ops.phases.title"));
    this.ready = this.refresh();
  }

  /**
   * What others changed is shown, unless something is being typed here. Of a form that lies open it is said, and shown by a
   * press: its lines may be more, and others. Figures are as they are now.
   * @param {{own?: boolean}} more `own`: something was done here
   */
  async refresh({ own = false } = {}) {
    if (this.busy.on) return;
    try {
      const [settings, codes] = await Promise.all([this.sale.settings(), this.sale.codes()]);
      if (this.busy.on) return;
      const known = { settings, groups: codes.groups };
      const open = /** @type {HTMLDetailsElement} */ (this.host).open;
      this.news = open && this.shape && !own && shapeOf(known) !== this.shape ? known : null;
      if (!this.news) {
        this.#learn(known);
        return;
      }
      this.groups = this.groups?.map((one) => codes.groups.find(({ name }) => name === one.name) ?? one) ?? null;
      this.draw();
    } catch (error) {
      if (!this.shape) unread(this.host, t("ops.phases.title"), error);
      // Asked again with a later look.
    }
  }

  /** @param {Known} known */
  #learn({ settings, groups }) {
    const first = !this.shape;
    this.shape = shapeOf({ settings, groups });
    this.groups = groups;
    if (groups.some(({ name }) => name === this.making)) this.making = "";
    this.zone = settings.time_zone; // what is typed is a wall time, whichever zone has been named since
    if (!this.touched) {
      this.rows = rowsOf(settings.phases, this.zone);
    }
    this.draw();
    if (first) this.room.fill();
  }

  #show = () => {
    const { news } = this;
    if (!news) return;
    this.news = null;
    this.#learn(news);
    this.host.querySelector("summary")?.focus({ preventScroll: true }); // the button is gone
  };

  /** @param {Row[]} rows */
  #write(rows) {
    this.rows = rows;
    this.touched = true;
    if (this.tried) this.faults = phaseFaults(rows, this.zone);
    this.draw();
  }

  /** @returns {import("./error_summary.js").Fault[]} */
  #wrong() {
    return this.faults.flatMap((wrong, index) =>
      [...wrong].map(([name, fault]) => ({
        id: `phase-${index}-${name}`,
        label: `${this.rows[index].name.trim() || index + 1} · ${t(`ops.field.phase_${name}`)}`,
        fault,
      })),
    );
  }

  /** @param {Event} event */
  #save = async (event) => {
    event.preventDefault();
    if (this.busy.on) return;
    this.failure = "";
    this.tried = true;
    this.faults = phaseFaults(this.rows, this.zone);
    this.draw();
    if (this.#wrong().length) {
      goToFirst(this.host);
      return;
    }
    this.pressed = true;
    await this.busy.run(
      async () => {
        await this.sale.change({ phases: phasesOf(this.rows, this.zone) });
        this.touched = false;
        this.tried = false;
        tell(t("ops.settings.done"));
        this.changed();
      },
      (error) => {
        this.failure = why(error);
      },
    );
    await this.refresh({ own: true });
    this.draw();
  };

  /**
   * @param {string} name
   * @param {HTMLInputElement} input
   */
  typed = (name, input) => {
    this.fields[name] = input.value;
    if (this.wrong.size) this.wrong = this.#faultsOfCodes(this.made);
    this.draw();
  };

  /**
   * What of the codes' fields is wrong.
   * @param {boolean} made codes are made here, and their number counts too
   */
  #faultsOfCodes(made) {
    const { code_group: group, code_uses: uses, code_count: count } = this.fields;
    /** @type {Map<string, string>} */
    const wrong = new Map();
    if (!isPartName(group.trim())) wrong.set("code_group", "code_group");
    if (!/^[1-9]\d{0,4}$/.test(uses)) wrong.set("code_uses", "code_uses");
    if (made && !(/^[1-9]\d{0,5}$/.test(count) && Number(count) <= 100_000)) wrong.set("code_count", "code_count");
    return wrong;
  }

  /**
   * The group and the uses of what is made or brought along; null: one is wrong, and said.
   * @param {boolean} made
   */
  #named(made) {
    const { code_group: group, code_uses: uses } = this.fields;
    this.made = made;
    this.wrong = this.#faultsOfCodes(made);
    this.draw();
    if (!this.wrong.size) return { group: group.trim(), uses: Number(uses) };
    goToFirst(byId("codes-fields"));
    return null;
  }

  #make = async () => {
    const named = this.#named(true);
    if (!named || this.busy.on) return;
    const count = Number(this.fields.code_count);
    this.#begin(named.group);
    await this.busy.run(async () => {
      save(await this.sale.makeCodes({ ...named, count }), `${this.sale.slug}-${named.group}.csv`);
      tell(t("ops.codes.made", { number: figure(count) }));
    }, sorry);
    await this.refresh({ own: true });
    this.changed();
  };

  /**
   * The line of a group that there is not yet is there from the press on.
   * @param {string} group
   */
  #begin(group) {
    this.making = this.groups?.some(({ name }) => name === group) ? "" : group;
  }

  /** @param {InputOf<HTMLInputElement>} event */
  #bring = async (event) => {
    const [file] = event.target.files ?? [];
    event.target.value = "";
    if (!file) return;
    const named = this.#named(false);
    if (!named || this.busy.on) return;
    this.#begin(named.group);
    await this.busy.run(async () => {
      const { added, known } = await this.sale.bringCodes(named, file);
      tell(
        known
          ? t("ops.codes.brought_some", { number: figure(added), known: figure(known) })
          : t("ops.codes.brought", { number: figure(added) }),
      );
    }, sorry);
    await this.refresh({ own: true });
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
    await this.refresh({ own: true });
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
          ${changedElsewhere(t("ops.phases.hint", { zone: this.zone }), this.news && this.#show)}
          <ul class="phase-rows">
            ${this.rows.map((row, index) => this.#row(row, index))}
          </ul>
          ${this.#wrong().length ? errorSummary(this.#wrong()) : nothing}
          <div class="actions">
            ${this.rows.length < MOST_PHASES ? html`<button type="button" class="button small secondary" data-more @click=${() => this.#write([...this.rows, emptyRow()])}>${t("ops.phases.more")}</button>` : nothing}
            <button type="submit" class="button small primary" ?disabled=${!this.touched || this.busy.on}>
              ${t("ops.settings.go")}
            </button>
            <button type="button" class="button small secondary" ?data-off=${!this.touched} @click=${this.#undo}>
              ${t("ops.settings.undo")}
            </button>
          </div>
          ${said(this.pressed, this.failure ? html`<p class="callout" data-kind="bad" role="alert">${this.failure}</p>` : nothing)}
        </form>
        ${this.#codes()}
      `,
      this.host,
    );
  }

  #undo = async () => {
    this.touched = false;
    this.tried = false;
    this.faults = [];
    this.failure = "";
    await this.refresh({ own: true });
  };

  /**
   * @param {Row} row
   * @param {number} index
   */
  #row(row, index) {
    /** @param {Partial<Row>} changes */
    const write = (changes) => this.#write(this.rows.map((one, at) => (at === index ? { ...one, ...changes } : one)));
    const { chosen, incomplete } = row;
    /** @type {Console.TimesForm} */
    const form = {
      id: `phase-${index}`,
      fields: { ...Object.fromEntries(COLUMNS.map((name) => [name, row[name]])), time_zone: this.zone },
      wrong: this.faults[index] ?? new Map(),
      chosen,
      typed: (name, { value, validity }) =>
        write({
          [name]: value,
          chosen: new Map([...chosen].filter(([time]) => time !== name)),
          incomplete: new Set([...incomplete, name].filter((time) => time !== name || validity.badInput)),
        }),
      choose: (name, second) => write({ chosen: new Map([...chosen, [name, second]]) }),
    };
    /** @param {typeof COLUMNS[number]} name */
    const input = (name) => {
      const label = t(`ops.field.phase_${name}`);
      if (name.endsWith("_at")) return timeField(form, name, { label });
      return field(form, name, { label, mode: NUMBERS.has(name) ? "numeric" : undefined });
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
      <div class="fields" id="codes-fields">
        ${field(this, "code_group", { lower: true })} ${field(this, "code_uses", { mode: "numeric" })}
        ${field(this, "code_count", { mode: "numeric", hint: t("ops.codes.count_hint") })}
      </div>
      ${this.wrong.size ? errorSummary(faultsOf(this)) : nothing}
      <div class="actions">
        <button type="button" class="button small primary" aria-disabled=${this.busy.on} @click=${this.#make}>
          ${t("ops.codes.make")}
        </button>
        <label class="button small secondary file"
          >${t("ops.codes.bring")}<input type="file" accept=".csv,text/csv,text/plain" @change=${this.#bring}
        /></label>
      </div>
      ${this.#groups()}
    </section>`;
  }

  /** Below what makes them, for they grow. */
  #groups() {
    const made = this.groups ?? [];
    if (!made.length && !this.making) return nothing;
    /**
     * @param {string} name
     * @param {string} words
     * @param {boolean} revocable
     */
    const line = (name, words, revocable) =>
      html`<li>
        <strong>${name}</strong>
        <small>${words}</small>
        <button type="button" class="button small secondary" ?data-off=${!revocable} @click=${() => this.#revoke(name)}>
          ${t("ops.codes.revoke")}
        </button>
      </li>`;
    return html`<ul class="found">
      ${made.map((group) =>
        line(
          group.name,
          t("ops.codes.figures", {
            codes: figure(group.codes),
            uses: figure(group.uses),
            spent: figure(group.spent),
            revoked: figure(group.revoked),
          }),
          group.codes > group.revoked,
        ),
      )}
      ${this.making ? line(this.making, this.busy.on ? t("ops.codes.making") : t("ops.codes.not_made"), false) : nothing}
    </ul>`;
  }
}

/**
 * Which parts and which groups there are: what of it makes lines.
 * @param {Known} known
 */
const shapeOf = ({ settings, groups }) =>
  JSON.stringify([settings.phases, settings.time_zone, groups.map(({ name }) => name)]);

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
