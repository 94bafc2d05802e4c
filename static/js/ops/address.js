// What a link asks the page to look up: `#find=...`. A fragment is not sent to any server or log.

/**
 * Now, and whenever another link of the same page is followed.
 * @param {(text: string) => void} look
 */
export function askedInAddress(look) {
  const read = () => {
    const text = new URLSearchParams(location.hash.slice(1)).get("find");
    if (text) look(text);
  };
  addEventListener("hashchange", read);
  read();
}
