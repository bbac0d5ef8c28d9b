// Comfort for the console. Every page works without this file.
"use strict";

// Times are shown in the time zone of the browser, with the zone, on hover and to screen
// readers. The text of the page stays relative.
function localTimes(root) {
  const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
  for (const element of root.querySelectorAll("time[datetime]")) {
    const text = format.format(new Date(element.dateTime));
    const hidden = element.querySelector(".visually-hidden");
    if (hidden) {
      element.title = text;
      hidden.textContent = " (" + text + ")";
    } else {
      element.textContent = text;
    }
  }
}

function say(text) {
  document.getElementById("status").textContent = text;
}

// A button appears only where the browser can copy, and says "Copied" only afterwards.
function copyButtons(root) {
  if (!navigator.clipboard) {
    return;
  }
  for (const button of root.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const field = document.getElementById(button.dataset.copy);
      try {
        await navigator.clipboard.writeText(field.value ?? field.textContent);
        say("Copied");
      } catch {
        field.select?.();
        say("The browser refused to copy. Select the text and copy it yourself.");
      }
    });
  }
}

// The choice of colours applies at once.
function themeSwitch() {
  const select = document.getElementById("theme");
  select?.addEventListener("change", () => select.form.requestSubmit());
}

// Shortcuts of one key can be switched off (WCAG 2.1.4).
const shortcutsKey = "keyhole-shortcuts";
let pending = "";
function shortcut(event) {
  const typing = event.target.closest("input, select, textarea, [contenteditable]");
  if (typing || event.ctrlKey || event.altKey || event.metaKey || localStorage.getItem(shortcutsKey) === "off") {
    return;
  }
  const keys = (pending + " " + event.key).trim();
  const link = document.querySelector(`[data-shortcut="${CSS.escape(keys)}"]`);
  pending = event.key === "g" ? "g" : "";
  if (link) {
    location.assign(link.href);
  } else if (event.key === "/") {
    const field = document.querySelector("[data-search]") ?? document.getElementById("path");
    if (field) {
      event.preventDefault();
      field.focus();
    }
  } else if (event.key === "?") {
    location.assign("/console/help");
  } else if (event.key === "c") {
    document.querySelector("button[data-copy]:not([hidden])")?.click();
  }
}

function shortcutSwitch() {
  const box = document.getElementById("shortcuts-on");
  if (!box) {
    return;
  }
  box.closest("[hidden]").hidden = false;
  box.checked = localStorage.getItem(shortcutsKey) !== "off";
  box.addEventListener("change", () => localStorage.setItem(shortcutsKey, box.checked ? "on" : "off"));
}

// Figures refresh in place: no row moves under the pointer, and no control loses the focus.
// The header says that the operator did nothing, so a session still ends when it is idle.
async function refresh() {
  if (document.hidden) {
    return;
  }
  const response = await fetch(location.href, { headers: { "X-Keyhole-Refresh": "1" }, redirect: "manual" });
  if (response.type === "opaqueredirect") {
    say("Your session has ended. Reload the page to sign in.");
    return;
  }
  if (!response.ok) {
    return;
  }
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const element of document.querySelectorAll("[data-live]")) {
    const now = fresh.querySelector(`[data-live="${CSS.escape(element.dataset.live)}"]`);
    if (now && !element.contains(document.activeElement)) {
      element.replaceChildren(...now.childNodes);
      localTimes(element);
    }
  }
}

// One box selects all rows of a table. It stands before the table, because narrow screens
// hide the head of a table.
function selectAll(root) {
  for (const table of root.querySelectorAll("table.rows")) {
    const boxes = [...table.querySelectorAll("td.select input")];
    if (boxes.length < 2) {
      continue;
    }
    const all = document.createElement("input");
    all.type = "checkbox";
    all.addEventListener("change", () => boxes.forEach((box) => (box.checked = all.checked)));
    table.addEventListener("change", () => (all.checked = boxes.every((box) => box.checked)));
    const label = document.createElement("label");
    label.append(all, " Select all on this page");
    table.before(label);
  }
}

// The answer about the content disables the lives that the policy does not allow for it.
function allowedLives(root) {
  const form = root.querySelector("form[data-share]");
  if (!form) {
    return;
  }
  const answers = ["true", "", "false"];
  const names = ["sensitive", "notStated", "notSensitive"];
  const apply = () => {
    const answer = answers.indexOf(form.elements.sensitive.value);
    for (const label of form.querySelectorAll("label[data-sensitive]")) {
      const input = label.querySelector("input");
      input.disabled = label.dataset[names[answer]] !== "true";
      if (input.checked && input.disabled) {
        input.checked = false;
        const usual = form.querySelector("#preset").dataset.defaults.split(" ")[answer];
        const other = form.querySelector(`#preset input[value="${CSS.escape(usual)}"]`);
        if (other) {
          other.checked = true;
          say("The life of the link has changed: " + other.parentElement.textContent.trim());
        }
      }
    }
  };
  form.addEventListener("change", (event) => event.target.name === "sensitive" && apply());
  apply();
}

function enhance(root) {
  localTimes(root);
  copyButtons(root);
  selectAll(root);
  allowedLives(root);
}

// Browsers may keep a page for the back button although it is not to be stored. After a
// sign-out it must not come back.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) {
    document.body.hidden = true;
    location.reload();
  }
});
document.addEventListener("keydown", shortcut);
document.addEventListener("htmx:load", (event) => {
  if (event.detail.elt !== document.body) {
    enhance(event.detail.elt);
  }
});
// An answer from another path is the sign-in: the session has ended. Opening the page anew
// leads there and back. htmx shows no answer to a refused filter, so the operator hears of it.
document.addEventListener("htmx:beforeSwap", (event) => {
  const answered = new URL(event.detail.xhr.responseURL);
  if (answered.pathname !== new URL(event.detail.pathInfo.finalRequestPath, location.href).pathname) {
    event.detail.shouldSwap = false;
    location.assign(event.detail.pathInfo.finalRequestPath);
  }
});
document.addEventListener("htmx:responseError", () => {
  say("The list was not changed. Press Filter to see why.");
});
document.addEventListener("htmx:sendError", () => {
  say("The service did not answer, so the list was not changed. Try again.");
});
document.addEventListener("DOMContentLoaded", () => {
  enhance(document);
  themeSwitch();
  shortcutSwitch();
  if (document.querySelector("[data-refresh]")) {
    const every = Number(document.documentElement.dataset.refreshEvery); // milliseconds
    setInterval(() => refresh().catch(() => say("The figures could not be refreshed.")), every);
  }
});
