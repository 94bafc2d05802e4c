// Published waits as a chart takes them. No page in here.

/**
 * [when joined in seconds, promised at most, promised at least, what it was], the oldest first.
 * @param {Api.WaitOfOne[]} waits the newest first
 * @returns {[number[], number[], number[], number[]]}
 */
export function columnsOf(waits) {
  const sorted = [...waits].sort((a, b) => Date.parse(a.joined_at) - Date.parse(b.joined_at));
  return [
    sorted.map(({ joined_at }) => Date.parse(joined_at) / 1000),
    sorted.map(({ promised }) => promised.high),
    sorted.map(({ promised }) => promised.low),
    sorted.map(({ actual }) => actual),
  ];
}

/**
 * The time of day as the event's clocks show it.
 * @param {number} moment milliseconds
 * @param {string} zone
 */
export const timeOf = (moment, zone) =>
  new Intl.DateTimeFormat("en", { timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(
    moment,
  );
