// Light, dark, or as the system has it; kept in this browser.
import { signal } from "./ui.js";

const KEY = "autostudio-theme";

function kept() {
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

export const theme = signal(kept());

/** @param {string} next "light", "dark" or "" for the system's */
export function setTheme(next) {
  theme.value = next;
  if (next) document.documentElement.dataset.theme = next;
  else delete document.documentElement.dataset.theme;
  try {
    if (next) localStorage.setItem(KEY, next);
    else localStorage.removeItem(KEY);
  } catch {
    // A browser that keeps nothing forgets the choice; the page works all the same.
  }
}

export const isDark = () => (theme.value || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
setTheme(theme.value);
