// What a buyer asks for before any seat is held, and what can be had instead of it. No page and no network in here.

/** Seats that "How many?" offers by one press each; a sale in which one buyer may have more offers a list. */
export const MOST_BUTTONS = 8;
/** Groups that one wish is split into, at most: the server's own limit. */
const MOST_GROUPS = 8;

/**
 * One buyer's seats here: how many there may be, over all purchases, and how many more may be held (F3).
 * @param {Pick<Sale.State, "most" | "orders" | "basket"> & {event: Api.EventDetails}} state
 */
export function share({ event, most: told, orders, basket }) {
  const most = Math.min(event.max_seats, told ?? Infinity);
  const bought = Object.values(orders).reduce((sum, seats) => sum + seats, 0);
  return { most, bought, left: Math.max(0, most - bought - basket.seats.length) };
}

/**
 * Whether all of it is bought: what is free, or comes back, is no longer for this buyer.
 * @param {Parameters<typeof share>[0]} state
 */
export function isUsedUp(state) {
  const { most, bought } = share(state);
  return bought > 0 && bought >= most;
}

/**
 * How many the buyer asks for: what was chosen, as far as it may be; two where nothing was.
 * @param {Parameters<typeof share>[0] & Pick<Sale.State, "ui">} state
 */
export const wanted = (state) => Math.max(1, Math.min(state.ui.wish.count ?? 2, share(state).left));

/**
 * What the best seats are asked for with: of the one category that is shown, or of any.
 * @param {Sale.State & {event: Api.EventDetails}} state
 * @param {Sale.Plan} plan
 * @param {number} count
 * @returns {Sale.Wish}
 */
export function wishOf({ ui }, plan, count) {
  const [only, ...others] = ui.filter ?? [];
  return {
    count,
    ...(only === undefined || others.length ? {} : { category: plan.categories[only].name }),
    ...(ui.wish.accessible ? { accessible: true } : {}),
  };
}

/**
 * What can be had instead of what was refused, the likest first.
 * @param {Sale.Instead} instead
 * @param {Sale.Plan} plan
 * @param {number} left how many more the buyer may hold
 * @param {number[]} [free] seats that are free, by category; what is not known hides nothing
 * @returns {Sale.Way[]}
 */
export function ways(instead, plan, left, free = []) {
  if (instead.code === "leaves_single_seat") return besideSingle(instead, left);
  const { wish, largest, alternatives } = instead;
  const other = alternatives.filter(({ count }) => count === wish.count);
  const fewer = alternatives.filter(({ count }) => count < wish.count);
  return [
    ...other.map((one) => found("elsewhere", one, plan)),
    ...(largest > 0 && enough(wish, plan, free) ? apart(wish, largest) : []).map((one) => found("split", one, plan)),
    ...fewer.map((one) => found("fewer", one, plan)),
  ];
}

/**
 * Whether so many seats are free at all.
 * @param {Sale.Wish} wish
 * @param {Sale.Plan} plan
 * @param {number[]} free
 */
function enough({ count, category }, plan, free) {
  const known = plan.categories.map(({ name }, index) =>
    category && name !== category ? 0 : (free[index] ?? Infinity),
  );
  return known.reduce((sum, seats) => sum + seats, 0) >= count;
}

/**
 * In groups of nearly one size, as few as can be, so that nobody sits alone who need not; more of them than were asked for
 * and could not be had. None where that is no way.
 * @param {Sale.Wish} wish
 * @param {number} largest
 * @returns {Sale.Wish[]}
 */
function apart(wish, largest) {
  const groups = Math.max(Math.ceil(wish.count / largest), (wish.groups ?? 1) + 1);
  return groups > Math.min(wish.count, MOST_GROUPS) ? [] : [{ ...wish, groups }];
}

/**
 * The groups of a wish, the largest first, as the server makes them.
 * @param {Sale.Wish} wish
 */
export const sizes = ({ count, groups = 1 }) =>
  Array.from({ length: groups }, (_, i) => Math.floor((count + groups - 1 - i) / groups));

/**
 * @param {"elsewhere" | "split" | "fewer"} kind
 * @param {Sale.Wish} wish
 * @param {Sale.Plan} plan
 * @returns {Sale.Way}
 */
function found(kind, wish, plan) {
  const category = plan.categories.find(({ name }) => name === wish.category);
  const price = category?.price === undefined || category.price === null ? null : category.price * wish.count;
  return { kind, wish, category: category?.name ?? null, price };
}

/**
 * A seat that would be left alone: it is taken as well, or in place of the other one.
 * @param {Extract<Sale.Instead, {code: "leaves_single_seat"}>} instead
 * @param {number} left
 * @returns {Sale.Way[]}
 */
function besideSingle({ seats, singles }, left) {
  const both = [...seats, ...singles].sort((a, b) => a - b);
  /** @type {Sale.Way[]} */
  const as = both.length <= left ? [{ kind: "both", seats: both }] : [];
  return seats.length === 1
    ? [...as, ...singles.map((seat) => /** @type {Sale.Way} */ ({ kind: "rather", seats: [seat] }))]
    : as;
}

/**
 * What a refusal leaves to choose from, or null.
 * @param {Sale.Request | undefined} request
 * @param {Wire.Refused} message
 * @returns {Sale.Instead | null}
 */
export function insteadOf(request, { code, seats, largest, alternatives }) {
  if (code === "not_together" && request?.wish)
    return {
      code,
      wish: request.wish,
      largest: largest ?? 0,
      alternatives: alternatives ?? [],
    };
  if (code === "leaves_single_seat" && request && seats.length) return { code, seats: request.seats, singles: seats };
  return null;
}
