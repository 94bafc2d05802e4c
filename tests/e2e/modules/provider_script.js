// Stands in for a provider's script: only that it came, and how often.
globalThis.providerScripts = (globalThis.providerScripts ?? 0) + 1;
