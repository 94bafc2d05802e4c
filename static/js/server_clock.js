// The server's time on a page. This machine's own clock may be wrong, and is set now and then: nothing here is told by it. What
// the server said last is counted on by performance.now(), which nobody sets; at worst it stands while the machine sleeps.

const LATE = 20000; // milliseconds that an answer is on its way at most: whoever waited for longer has given it up
const UNSEEN = 100; // milliseconds by which a clock may be wrong and nobody sees it
const APART = 1000; // milliseconds between the machine's two clocks, from which on one of them has jumped

/**
 * The server's clock minus performance.now(), milliseconds, given what was known of it, when the server says that it is `now`
 * (ISO 8601) and that is read at `local`. An answer that was on its way for long tells too early a time, and none too late a
 * one: the latest is the best, unless the server's clock itself was set back.
 * @param {number} offset
 * @param {string} now
 * @param {number} local by performance.now()
 */
export function learnt(offset, now, local) {
  const heard = Date.parse(now) - local;
  return heard > offset + UNSEEN || heard < offset - LATE ? heard : offset;
}

/**
 * Answers, each time, whether the machine may have slept since the last time: its two clocks went apart. It may as well have
 * been set; the server is asked, and knows.
 */
export function sleepWatch(wall = () => Date.now(), own = () => performance.now()) {
  let between = wall() - own();
  return () => {
    const before = between;
    between = wall() - own();
    return Math.abs(between - before) > APART;
  };
}
