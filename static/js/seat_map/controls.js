// The map's buttons.

/**
 * @param {string} icon
 * @param {string} label
 * @param {() => void} onClick
 */
export function control(icon, label, onClick) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = `map-control icon-${icon}`;
  button.setAttribute("aria-label", label);
  button.title = label;
  button.addEventListener("click", onClick);
  return button;
}
