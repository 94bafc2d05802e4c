// Which type a page is set in: ours on a fast line; on a slow one, and on a telephone that does not tell how fast it is, the
// reader's own, because the hall comes first there. A classic script in the head, so that it is decided before the
// first letter is drawn: nothing moves afterwards (`font-display: optional` does the rest). A tab keeps to what it has.
{
  const FAST = { downlink: 4, rtt: 150 }; // Mb/s, milliseconds
  const script = /** @type {HTMLScriptElement} */ (document.currentScript);

  const isFast = () => {
    const line = /** @type {{downlink: number, rtt: number, saveData?: boolean} | undefined} */ (
      /** @type {any} */ (navigator).connection
    );
    if (!line) return !matchMedia("(pointer: coarse)").matches;
    return !line.saveData && line.downlink >= FAST.downlink && line.rtt <= FAST.rtt;
  };

  const decided = () => {
    try {
      const kept = sessionStorage.getItem("onsale.type") ?? (isFast() ? "ours" : "own");
      sessionStorage.setItem("onsale.type", kept);
      return kept;
    } catch {
      return isFast() ? "ours" : "own"; // a browser that keeps nothing
    }
  };

  // A device without a Korean font draws boxes: there ours is worth waiting for, and a letter may move.
  const drawsHangul = () => {
    const pen = document.createElement("canvas").getContext("2d");
    // Nobody's font has this noncharacter. Beyond the BMP, Gecko's box holds six digits instead of four and is wider.
    return !pen || pen.measureText("\ud55c").width !== pen.measureText("\ufdd0").width;
  };

  const ours = decided() === "ours";
  const inKorean = document.documentElement.lang === "ko";
  const boxes = (ours || inKorean) && !drawsHangul();
  if (ours || boxes) {
    const sheet = (boxes ? script.dataset.late : script.dataset.sheet) ?? "";
    for (const face of (script.dataset.faces ?? "").split(" ")) {
      const preload = document.createElement("link");
      Object.assign(preload, { rel: "preload", as: "font", type: "font/woff2", crossOrigin: "anonymous", href: face });
      document.head.append(preload);
    }
    const link = document.createElement("link");
    Object.assign(link, { rel: "stylesheet", href: sheet });
    link.setAttribute("blocking", "render");
    document.head.append(link);
  }
}
