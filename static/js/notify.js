// Calls the visitor when it is their turn: a sound and, where allowed, a notification. Both need a press of a button first.

/** @type {AudioContext | null} */
let audio = null;

/** After a press: asks for what can be asked for. Resolves to true when at least the sound will come. */
export async function allow() {
  let sounds = false;
  try {
    audio ??= new AudioContext();
    await audio.resume();
    sounds = true;
  } catch {
    // A browser without sound, or one that allows none here.
  }
  let told = false;
  if ("Notification" in globalThis) {
    try {
      told = (await Notification.requestPermission()) === "granted";
    } catch {
      told = false;
    }
  }
  return sounds || told;
}

/**
 * It is your turn.
 * @param {string} title
 * @param {string} body
 */
export function call(title, body) {
  chime();
  if (document.hidden && "Notification" in globalThis && Notification.permission === "granted") {
    try {
      const note = new Notification(title, { body, tag: "onsale-turn", requireInteraction: true });
      note.addEventListener("click", () => {
        focus();
        note.close();
      });
    } catch {
      // Some phones allow notifications from service workers only; the sound and the title must do there.
    }
  }
}

function chime() {
  if (audio?.state !== "running") return;
  const sound = audio;
  const start = audio.currentTime + 0.02;
  // A rising fifth, twice: heard in a café, not mistaken for an alarm.
  for (const [at, hertz] of /** @type {const} */ ([
    [0, 587.33],
    [0.18, 880],
    [0.7, 587.33],
    [0.88, 880],
  ])) {
    const tone = sound.createOscillator();
    const gain = sound.createGain();
    tone.frequency.value = hertz;
    tone.type = "sine";
    gain.gain.setValueAtTime(0, start + at);
    gain.gain.linearRampToValueAtTime(0.22, start + at + 0.02);
    gain.gain.exponentialRampToValueAtTime(0.001, start + at + 0.5);
    tone.connect(gain).connect(sound.destination);
    tone.start(start + at);
    tone.stop(start + at + 0.55);
  }
}
