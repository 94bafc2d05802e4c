// The provider's window was closed: goes on by itself; without script there is the button.
import { byId } from "../dom.js";

/** @type {HTMLFormElement} */ (byId("closed")).requestSubmit();
