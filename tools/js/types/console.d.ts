/** What the operators' console passes around: static/js/ops. */
declare namespace Console {
  type SaleApi = import("../../../static/js/ops/api.js").SaleApi;
  type SaleActions = import("../../../static/js/ops/actions.js").SaleActions;
  type CircuitForce = Api.ForceCircuit["state"];
  type RefundWay = "all" | "seats" | "amount";
  type SeatName = { zone: string; row: string; number: string };

  /** A form whose fields `field.js` draws; `wrong`: field -> key of what is wrong with it. */
  type Form = {
    /** a prefix for ids */
    id: string;
    fields: Record<string, string>;
    wrong: Map<string, string>;
    /** what the server has refused: said below the form, where it moves no field */
    refused?: Map<string, string>;
    typed(name: string, input: HTMLInputElement): void;
  };

  /** A form in which a part writes a text of its own. */
  type TextsForm = Form & { write(name: string, text: string): void };

  /** A form with times; `chosen`: of a time that comes twice, whether the second is meant. */
  type TimesForm = Form & { chosen: Map<string, boolean>; choose(name: string, second: boolean): void };

  type Question = { event?: string; visitor?: string; reservation?: string; seat?: number };
  type Found =
    | { kind: "seats"; found: FoundSeat[]; total: number }
    | { kind: "reservations"; reservations: Api.FoundReservation[] }
    | Subject;
  type FoundSeat = Api.PlanSeat & { name: string; state: SeatState };
  type SeatState = "available" | "held" | "sold" | "blocked";
  type Subject = {
    kind: "subject";
    question: Question;
    diagnosis: Api.DiagnosisAnswer;
    /** As it is now. */
    seat: Api.SeatFacts | null;
    reservations: ListedReservation[];
    /** Found out since, and otherwise than what is shown. */
    later?: Subject | null;
  };
  /** What both lists of reservations have. */
  type ListedReservation = Pick<Api.FoundReservation, "id" | "status" | "reason" | "email" | "created_at"> &
    Partial<Api.FoundReservation>;
}
