/** What the sale page knows and does: static/js/state.js, reducer.js and what reads them. */
declare namespace Sale {
  type Connection = "connecting" | "online" | "reconnecting" | "offline" | "polling" | "stopped";
  type OutReason = "session" | "heartbeat" | "left" | "removed" | "closed";
  type Mode = "map" | "list";
  type RequestKind = "hold" | "best" | "release" | "extend";
  type Stage =
    | "loading"
    | "before"
    | "gathering"
    | "joining"
    | "waiting"
    | "map"
    | "checkout"
    | "paying"
    | "confirmed"
    | "failed"
    | "cancelled"
    | "leaving"
    | "out"
    | "closed";

  type Queue = {
    number: number;
    ahead: number;
    waiting: number;
    wait: { low: number; high: number } | null;
    firstAhead: number;
  };
  /** `until`: milliseconds of the server's clock. */
  type Session = { until: number; warningSeconds: number };
  type Basket = Readonly<{
    seats: readonly number[];
    /** milliseconds of the server's clock */
    until: number | null;
    fence: number | null;
    extensionsLeft: number;
  }>;
  /** `at`: when it was asked, by this machine's clock. */
  type Request = { kind: RequestKind; seats: number[]; wish?: Wish; at: number };
  /** Seats together, as the server is asked for them; in one group where it says nothing else. */
  type Wish = { count: number; groups?: number; category?: string; zone?: string; accessible?: boolean };
  /** What was refused and leaves something to choose from; `singles`: the seats that would be left alone. */
  type Instead =
    | { code: "not_together"; wish: Wish; largest: number; alternatives: Wish[] }
    | { code: "leaves_single_seat"; seats: number[]; singles: number[] };
  /** What can be had instead. `price`: of all of it, in the minor unit; null where the category is open. */
  type Way =
    | {
        kind: "elsewhere" | "split" | "fewer";
        wish: Wish;
        category: string | null;
        price: number | null;
      }
    | { kind: "both" | "rather"; seats: number[] };
  type Refused = { id: string; code: string; seats: number[]; detail: string; count: number };
  type Checkout = { submitting: boolean; code: string | null; retryAfter: number | null };

  /** A reservation as the page knows it. */
  type Purchase = { id: string; status: Wire.Reservation["status"]; reason: string | null } & Partial<
    Pick<Wire.Reservation, "seats" | "amount" | "currency">
  > & { payment?: Api.PaymentState | null };

  /** What the visitor has chosen and typed. */
  type Ui = {
    mode: Mode;
    /** categories (indices) that are shown in full; null: all */
    filter: ReadonlySet<number> | null;
    /** how many seats together, null: not chosen yet; of wheelchair places or not. The category is the filter's */
    wish: { count: number | null; accessible: boolean };
    /** the basket's sheet is open (phones) */
    sheet: boolean;
    email: string;
    emailWrong: boolean;
    /** the access code that is typed; null: nothing was typed since the last one was taken */
    code: string | null;
    /** whose window the buyer wants to pay in; null: the shop's first */
    provider: string | null;
    /** the seats of an order are being given back, or why they could not be */
    givingBack: { busy: boolean; failed: string | null };
    /** the visitor is called when it is their turn */
    notify: boolean;
    /** whether the visitor is about to leave: asked, or going at `until` (milliseconds of this machine's clock) */
    leaving: { step: "asked" | "going" | "gone"; until: number | null } | null;
    /** one line at the bottom of the page */
    toast: { text: string; count: number } | null;
  };

  /** What is away (`database`, `redis`, `payment`), and when the clocks of sessions and holds stand: milliseconds of the server's clock. */
  type Outage = { away: ReadonlySet<string>; since: number | null; until: number | null };

  /** How the shop takes money, `title` as the buyer's language calls a provider; `alternative`: what else can be used where a provider is away, "" when nothing. */
  type Shop = { providers: { name: string; title: string }[]; alternative: string };

  type State = Readonly<{
    slug: string;
    shop: Shop;
    /** signed; brings the place in the queue back */
    ticket: string | null;
    connection: Connection;
    /** with which the channel was closed for good */
    closeCode: number | null;
    wasOnline: boolean;
    event: Api.EventDetails | null;
    /** why the event could not be read, while it never was */
    broken: string | null;
    /** server's clock minus `local`, milliseconds */
    offset: number;
    /** performance.now() at the last tick */
    local: number;
    presence: "unknown" | "joining" | "entered" | "waiting" | "active" | "out";
    outReason: OutReason | null;
    outage: Outage | null;
    /** the outage before the last welcome, until it is told again, or it is sure that it is over: milliseconds of this machine's clock */
    doubted: { outage: Outage; until: number } | null;
    /** when an outage was over, milliseconds of this machine's clock */
    outageOverAt: number | null;
    /** the turn passed while the connection was gone */
    lapsed: boolean;
    /** something was bought in this visit: the turn is shorter since */
    bought: boolean;
    /** when the last confirmed order was made, as far as it was asked: milliseconds of the server's clock */
    orderedAt: number | null;
    queue: Queue | null;
    /** what stands for this visitor in the draw; kept when it is over. `drawAt`: milliseconds of the server's clock */
    entry: { receipt: string; drawAt: number } | null;
    /** what the place costs, while there is none: how it goes */
    price: "working" | "captcha" | "insecure" | "failed" | null;
    /** how many have entered, as far as it is known */
    gathered: number | null;
    session: Session | null;
    basket: Basket;
    /** after a reconnect, until the server has told the basket or sent the board without one */
    basketUnsure: boolean;
    /** by request id */
    pending: Readonly<Record<string, Request>>;
    refusal: Refused | null;
    /** what can be had instead of what was refused last, until something else is asked for */
    instead: Instead | null;
    /** reservation -> seats that count for this visitor's share here */
    orders: Readonly<Record<string, number>>;
    /** the seats of one buyer in this part of the sale, where a refusal has told them */
    most: number | null;
    basketExpired: boolean;
    /** the seats went because this browser was not heard from, and who was in is in again */
    unheard: boolean;
    step: "map" | "checkout";
    checkout: Checkout;
    reservation: Purchase | null;
    problem: { code: string; detail: string } | null;
    /**
     * the access code that was given last: to be given again, on its way, taken (`parts`: the names of those that wanted a code
     * then), or refused, and why
     */
    code: { step: "given" | "asked" | "taken" | "refused"; why: string | null; parts?: readonly string[] } | null;
    ui: Ui;
  }>;

  /** `asked`: this page has looked at it by HTTP, so it is its own. */
  type ReservationNews = { type: "reservation"; asked?: boolean } & Pick<Wire.Reservation, "id" | "status"> &
    Partial<Wire.Reservation> & { payment?: Api.PaymentState | null };

  /** The server's messages as they come, and what happens in the page itself. */
  type Action =
    | Exclude<Wire.Message, Wire.Seats | Wire.Reservation | Wire.Returns>
    | ReservationNews
    | { type: "connection"; status: Connection; code?: number }
    | { type: "price"; kind: State["price"] }
    | { type: "event"; event: Api.EventDetails }
    | { type: "broken"; code: string }
    | { type: "tick"; local: number }
    | { type: "sent"; id: string; kind: RequestKind; seats: number[]; wish?: Wish }
    /** all that this visitor has ordered here */
    | { type: "orders"; reservations: Api.ReservationState[] }
    | { type: "wish"; wish: Partial<Ui["wish"]> }
    /** shows one category, or all */
    | { type: "only"; category: number | null }
    /** none of what can be had instead */
    | { type: "others" }
    | { type: "step"; step: State["step"] }
    | { type: "submitting" }
    | { type: "submit-again"; seconds: number }
    | { type: "submit-failed"; code: string | null; retryAfter?: number | null }
    | { type: "dismiss" }
    /** an access code is given, or taken back */
    | { type: "code"; given: boolean }
    | { type: "code-text"; text: string }
    | { type: "rejoin" }
    | { type: "mode"; mode: Mode }
    /** turns one category on or off */
    | { type: "filter"; category: number }
    /** opens or closes the basket's sheet */
    | { type: "sheet" }
    | { type: "email"; email: string }
    /** the address is no address */
    | { type: "email-wrong" }
    | { type: "provider"; provider: string }
    | { type: "giving-back"; busy: boolean; failed: string | null }
    | { type: "leaving"; leaving: Ui["leaving"] }
    | { type: "notify"; on: boolean }
    | { type: "toast"; text: string }
    | { type: "untoast"; count: number };

  type Store = {
    readonly state: State;
    dispatch(action: Action): void;
    subscribe(listener: (state: State) => void): void;
  };

  /** What the visitor can do; the views call it. */
  type Act = {
    pick(ordinal: number): void;
    release(seats: number[]): void;
    extend(): void;
    best(count: number): void;
    wish(wish: Partial<Ui["wish"]>): void;
    only(category: number | null): void;
    take(way: Way): void;
    others(): void;
    filter(category: number): void;
    mode(mode: Mode): void;
    sheet(): void;
    checkout(): void;
    back(): void;
    email(event: InputOf<HTMLInputElement>): void;
    provider(provider: string): void;
    giveBack(): void;
    seen(): void;
    submit(event: Event): void;
    leave(): void;
    stay(): void;
    go(): void;
    rejoin(): void;
    /** asks for the place again, after the proof of work failed */
    pay(): void;
    dismiss(): void;
    chooseAgain(): void;
    giveCode(code: string): void;
    codeText(event: InputOf<HTMLInputElement>): void;
    /** asks for a place without one */
    noCode(): void;
    notify(): void;
  };

  /** What views draw: the state, and what stands beside it because it is large and changes in place. */
  type Model = {
    state: State;
    act: Act;
    board: import("../../../static/js/board.js").Board;
    plan: Plan | null;
    /** where the captcha is shown */
    captcha: HTMLElement | null;
    /** the waiting list, where it has something to say */
    returns: HTMLElement | null;
    /** it has seats for this visitor, for a time */
    offered: boolean;
    seatMap: import("../../../static/js/seat_map/seat_map.js").SeatMap | null;
    seatList: import("../../../static/js/seat_list/seat_list.js").SeatList | null;
    own: ReadonlySet<number>;
    asked: ReadonlySet<number>;
    /** free seats by category */
    free: number[];
    /** category -> CSS colour */
    swatches: Map<string, string>;
    /** of the form in which seats are asked for, when it was last seen: CSS pixels, 0 when it never was */
    wishHeight: number;
    /** the time of the seats is over, and what can be done has their place until the buyer goes on */
    over: boolean;
    /** of what was beside the map, or below it, then: CSS pixels; 0: it is as high as it needs to be */
    sideHeight: number;
  };

  /** The same where the event is known, which is everywhere but in the first moment. */
  type WithEvent<Of> = Of & { state: State & { event: Api.EventDetails } };
  /** The same where a seat plan is there. */
  type WithPlan = WithEvent<Model> & {
    plan: Plan;
    seatMap: NonNullable<Model["seatMap"]>;
    seatList: NonNullable<Model["seatList"]>;
  };

  /** What of it no second changes, with what is asked of the board, which changes in place (static/js/kept.js). */
  type Lasting = Pick<WithPlan, "act" | "plan" | "asked" | "free" | "swatches"> & {
    state: Omit<WithPlan["state"], "local">;
    /** the board is known */
    ready: boolean;
    left: import("../../../static/js/sold_out.js").Left["kind"];
  };

  /** The same where a purchase is under way or over. */
  type WithReservation = Model & { state: State & { reservation: Purchase } };

  /** What `Channel` and `PollChannel` are made of. */
  type ChannelParts = {
    api: ChannelApi;
    onMessage(message: Wire.Message): void;
    onStatus(status: Connection, code?: number): void;
  };
  type Answer<Body> = Promise<{ status?: number; body: Body }>;
  type ChannelApi = {
    event(): Answer<Api.EventDetails>;
    outage(): Answer<Api.OutageAnswer>;
    board(): Answer<Api.BoardStates>;
    join(
      ticket: string | null,
      nonce?: string | null,
      proof?: string | null,
      code?: string | null,
    ): Answer<Api.QueueAnswer>;
    place(): Answer<Api.QueueAnswer>;
    beat(): Answer<Api.QueueAnswer>;
    leave(): Answer<unknown>;
    hold(seats: number[]): Answer<Api.HeldSeats>;
    best(best: Omit<Wire.Best, "type" | "id">): Answer<Api.HeldSeats>;
    basket(): Answer<Api.HeldSeats>;
    release(seats: number[]): Answer<unknown>;
    extend(): Answer<Api.HeldSeats>;
  };

  /** localStorage, sessionStorage, or what stands in for them. */
  type Items = Pick<Storage, "getItem" | "setItem" | "removeItem">;

  type Plan = import("../../../static/js/plan.js").Plan;
  type Zone = Plan["zones"][number];
  type Row = Plan["rows"][number];
  type Seat = ReturnType<Plan["seat"]>;
}

type InputOf<Element> = Event & { target: Element; currentTarget: Element };

/** How things lie in a plan or on the screen. */
declare namespace Geometry {
  type Point = { x: number; y: number };
  type Box = { minX: number; minY: number; maxX: number; maxY: number };
  type View = { scale: number; x: number; y: number };
}
