// What was asked over the channel waits for its answer, and the button with it: that wait has an end too.

const ANSWER_WITHIN = 20000; // milliseconds: longer than the server takes for anything that is asked there

/**
 * Whether something that was asked has been without an answer for too long: whoever carried it is not believed any more.
 * @param {Pick<Sale.State, "pending" | "local">} state
 */
export const isUnanswered = ({ pending, local }) => Object.values(pending).some(({ at }) => local - at > ANSWER_WITHIN);
