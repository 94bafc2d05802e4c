// A link from an alert comes from another site, so the browser keeps the strict cookie back on the way here. Asked from
// our own page it sends it: whoever is signed in already goes straight on, once.
const KEY = "onsale.ops.passed";

if (sessionStorage.getItem(KEY) !== location.pathname) {
  const asked = fetch("/api/operator/session", { credentials: "same-origin", signal: AbortSignal.timeout(15000) });
  const isSignedIn = await asked.then(
    ({ ok }) => ok,
    () => false, // no answer: there is the form
  );
  if (isSignedIn) {
    sessionStorage.setItem(KEY, location.pathname);
    location.replace(location.href);
  }
}

export {};
